/**
 * The login form.
 *
 * @module
 */
import type { VNode } from "preact";
import { useSignal } from "@preact/signals";
import type { Board } from "../state.ts";
import { type Refusal, refusalFrom } from "../ports.ts";
import { Icon } from "../../parts/icon.tsx";
import { control, FieldFrame } from "./field.tsx";
import { RefusalNote } from "./refusal_note.tsx";

/** The form. */
export function Login({ board }: { readonly board: Board }): VNode {
  const refusal = useSignal<Refusal | null>(null);
  const busy = useSignal(false);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget as HTMLFormElement);
    busy.value = true;
    refusal.value = null;
    try {
      board.session.value = await board.api.login(
        String(fields.get("user")),
        String(fields.get("password")),
      );
    } catch (error) {
      refusal.value = refusalFrom(error);
    } finally {
      busy.value = false;
    }
  };
  return (
    <main class="login">
      <form class="card" onSubmit={submit}>
        <h1>
          <Icon name="layers" /> Notice board
        </h1>
        <p class="muted">Publish software for the fleet, and see it arrive.</p>
        {refusal.value !== null && <RefusalNote refusal={refusal.value} />}
        <FieldFrame id="user" label="User" error={undefined}>
          <input
            {...control("user", undefined)}
            name="user"
            autocomplete="username"
            required
            maxLength={64}
          />
        </FieldFrame>
        <FieldFrame id="password" label="Password" error={undefined}>
          <input
            {...control("password", undefined)}
            name="password"
            type="password"
            autocomplete="current-password"
            required
            maxLength={256}
          />
        </FieldFrame>
        <button type="submit" class="primary" data-testid="login" disabled={busy.value}>
          {busy.value ? "Logging in …" : "Log in"}
        </button>
      </form>
    </main>
  );
}
