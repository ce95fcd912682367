/**
 * Asks before a campaign is halted or withdrawn: the version has to be typed.
 *
 * @module
 */
import type { VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import type { Campaign } from "shared/protocol/api.ts";
import { confirmWord } from "../model.ts";
import { control, FieldFrame } from "./field.tsx";

type Asked = "halt" | "withdraw";

const WORDS: Record<Asked, { title: string; body: string; label: string }> = {
  halt: {
    title: "Halt the campaign?",
    body: "No further vehicle begins with it. Those that have begun to install finish.",
    label: "Halt",
  },
  withdraw: {
    title: "Withdraw the campaign?",
    body: "It is taken back from every vehicle that has not begun to install. This is for good.",
    label: "Withdraw",
  },
};

interface DialogProps {
  readonly campaign: Campaign;
  readonly verb: Asked;
  readonly onConfirm: (verb: Asked) => void;
  readonly onCancel: () => void;
}

/** The dialog; it is modal while it is there. */
export function ConfirmDialog({ campaign, verb, onConfirm, onCancel }: DialogProps): VNode {
  const dialog = useRef<HTMLDialogElement>(null);
  const typed = useSignal("");
  useEffect(() => dialog.current?.showModal(), []);
  const word = confirmWord(campaign);
  const { title, body, label } = WORDS[verb];
  return (
    <dialog ref={dialog} aria-labelledby="confirm-title" onClose={onCancel}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (typed.value.trim() === word) onConfirm(verb);
        }}
      >
        <h2 id="confirm-title">{title}</h2>
        <p>
          <b>{campaign.campaign}</b>: {campaign.releases.join(", ")}. {body}
        </p>
        <FieldFrame id="confirm" label={`Type ${word} to go on`} error={undefined}>
          <input
            {...control("confirm", undefined)}
            value={typed.value}
            autocomplete="off"
            onInput={(event) => typed.value = event.currentTarget.value}
          />
        </FieldFrame>
        <div class="verbs">
          <button
            type="submit"
            class="danger"
            data-testid="confirm-go"
            disabled={typed.value.trim() !== word}
          >
            {label}
          </button>
          <button type="button" data-testid="confirm-cancel" onClick={onCancel}>Cancel</button>
        </div>
      </form>
    </dialog>
  );
}
