/**
 * Where a file is dropped or chosen, and how far it is.
 *
 * @module
 */
import type { VNode } from "preact";
import { useSignal } from "@preact/signals";
import type { Desk } from "../desk.ts";
import { droppedOf, oneFile } from "../dropped.ts";
import { jobView, type UploadJob } from "../upload_job.ts";
import { formatBytes } from "../../format.ts";
import { Icon } from "../../parts/icon.tsx";
import { control, Progress } from "./field.tsx";

/** The zone. */
export function DropZone({ desk }: { readonly desk: Desk }): VNode {
  const over = useSignal(false);
  const error = desk.errors.value.file;
  const job = desk.job.value;
  const drop = (transfer: DataTransfer) => {
    const file = oneFile(droppedOf(transfer));
    if (typeof file === "string") desk.refuse(file);
    else void desk.take(file);
  };
  return (
    <div
      class="drop"
      data-over={over.value}
      data-wrong={error !== undefined}
      onDragOver={(event) => {
        event.preventDefault();
        over.value = true;
      }}
      onDragLeave={(event) => {
        // It is told also when the pointer only goes on to something inside.
        const { currentTarget: zone, relatedTarget: to } = event;
        if (!(to instanceof Node && zone.contains(to))) over.value = false;
      }}
      onDrop={(event) => {
        event.preventDefault();
        over.value = false;
        if (event.dataTransfer !== null) drop(event.dataTransfer);
      }}
    >
      {job !== null ? <Job desk={desk} job={job} /> : (
        <label for="file">
          <Icon name="upload" />
          <b>Drop an image here, or choose a file</b>
          <span class="hint" id="file-hint">
            A full image, or a patch made with bsdiff or ota delta. It is hashed here and can be
            resumed.
          </span>
        </label>
      )}
      <input
        {...control("file", error)}
        aria-label="Image or patch"
        type="file"
        class="spoken"
        onChange={(event) => {
          const file = event.currentTarget.files?.[0];
          if (file !== undefined) void desk.take(file);
          event.currentTarget.value = ""; // The same file may be chosen again.
        }}
      />
      {error !== undefined && (
        <p class="error" id="file-error" role="alert" data-testid="error-file">
          <Icon name="alert" />
          {error}
        </p>
      )}
    </div>
  );
}

function Job({ desk, job }: { readonly desk: Desk; readonly job: UploadJob }): VNode {
  const { percent, label } = jobView(job);
  const { phase, note, sha256 } = job.state.value;
  return (
    <div class="job" data-testid="job" data-phase={phase}>
      <div class="job-head">
        <Icon name={phase === "done" ? "check" : phase === "failed" ? "alert" : "file"} />
        <span class="grow">
          <b>{job.name}</b>
          <span class="muted">
            {formatBytes(job.sizeBytes)}, {job.kind === "patch" ? "patch" : "full image"}
          </span>
        </span>
        <button type="button" class="quiet" data-testid="remove-file" onClick={() => desk.drop()}>
          <Icon name="x" />Remove
        </button>
      </div>
      <Progress percent={percent} label="Upload" />
      <p role="status" class={phase === "failed" ? "error" : "muted"}>
        {label}
        {note !== "" && `: ${note}`}
      </p>
      {sha256 !== null && <p class="mono digest">SHA-256 {sha256}</p>}
    </div>
  );
}
