/**
 * Enrolment: a one-time token for a vehicle, shown once.
 *
 * @module
 */
import type { VNode } from "preact";
import { useSignal } from "@preact/signals";
import type { Board } from "../state.ts";
import { refusalFrom } from "../ports.ts";
import { Icon } from "../../parts/icon.tsx";
import { control, FieldFrame } from "./field.tsx";

/** The form and, once, the token. */
export function Enrol({ board }: { readonly board: Board }): VNode {
  const vin = useSignal("");
  const error = useSignal<string | undefined>(undefined);
  const token = useSignal<{ readonly vin: string; readonly token: string } | null>(null);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    error.value = undefined;
    token.value = null;
    try {
      token.value = await board.api.enrol(vin.value.trim().toUpperCase());
      vin.value = "";
    } catch (cause) {
      const { detail, remedy } = refusalFrom(cause);
      error.value = `${detail}. ${remedy}`;
    }
  };
  return (
    <section class="card enrol">
      <form noValidate onSubmit={submit}>
        <FieldFrame
          id="vin"
          label="Enrol a vehicle"
          hint="Its VIN: 17 letters and digits"
          error={error.value}
        >
          <div class="with-button">
            <input
              {...control("vin", error.value)}
              class="mono"
              value={vin.value}
              maxLength={17}
              autocomplete="off"
              spellcheck={false}
              onInput={(event) => vin.value = event.currentTarget.value}
            />
            <button type="submit" class="primary" data-testid="enrol">
              <Icon name="plus" />Make token
            </button>
          </div>
        </FieldFrame>
      </form>
      {token.value !== null && <Token vin={token.value.vin} token={token.value.token} />}
    </section>
  );
}

function Token({ vin, token }: { readonly vin: string; readonly token: string }): VNode {
  const options = [
    "--data DIR",
    `--server ${location.origin}`,
    "--hmi 127.0.0.1:8090",
    `--vin ${vin}`,
    `--enrol ${token}`,
  ];
  return (
    <div class="token" role="status">
      <p>
        <b>Token for {vin}</b>, shown only now. It is spent when the vehicle first connects.
      </p>
      <code data-testid="enrol-token">{token}</code>
      <p class="muted">Start the vehicle with</p>
      <code>
        <span>deno task vehicle</span>
        {options.map((option) => [" ", <span key={option}>{option}</span>])}
      </code>
    </div>
  );
}
