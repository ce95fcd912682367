/**
 * Counters in the text format of Prometheus (exposition format 0.0.4).
 *
 * @module
 */

// deno-fmt-ignore
/** Every counter with its help text. */
const COUNTERS = {
  ota_upload_bytes_total: "Bytes received in uploads",
  ota_uploads_total: "Uploads that became a stored file",
  ota_uploads_refused_total: "Uploads that ended in a refusal, by failure",
  ota_releases_total: "Releases made since the start",
  ota_patches_proved_total: "Patches applied and proved",
  ota_delta_jobs_total: "Carriers made in the background, by result",
  ota_delta_saved_bytes_total: "Bytes that carriers made are smaller than the full ones",
  ota_collected_files_total: "Files removed since nothing referred to them",
  ota_collected_bytes_total: "Bytes given back to the medium with them",
  ota_carrier_requests_total: "Requests for carriers",
  ota_carrier_bytes_total: "Bytes of carriers sent to vehicles",
  ota_chunks_total: "Leaves given to vehicles that heal a slot",
  ota_manifests_total: "Reports taken by PUT /manifest",
  ota_false_confirmed_total: "ECUs that claimed to be confirmed while another image ran",
  ota_mqtt_messages_total: "Messages taken from vehicles, by leaf",
  ota_mqtt_dropped_total: "MQTT messages, subscriptions and connections refused, by reason",
  ota_rot_found_total: "Slots and records that vehicles found rotten, by failure",
  ota_rot_healed_total: "Slots and records that vehicles healed, by failure",
  ota_failed_trials_total: "Logs of failed trials that vehicles sent, by failure",
  ota_announcements_total: "Retained messages published",
  ota_login_failures_total: "Logins refused",
  ota_hardware_ignored_total: "Reports with more new hardware ids than one vehicle may make known",
  ota_server_restarts_total: "Restarts after a crash, since a person started the server",
} as const;

/** The name of a counter. */
export type CounterName = keyof typeof COUNTERS;

/** A gauge, read at the time of asking. */
export interface Gauge {
  readonly name: string;
  readonly help: string;
  /** One number, or one for each value of a label; of these there are few, whatever the fleet. */
  readonly value: number | Readonly<Record<string, readonly (readonly [string, number])[]>>;
}

/** Counters of one server. */
export class Metrics {
  readonly #values = new Map<CounterName, Map<string, number>>();

  /**
   * Adds to a counter.
   *
   * @param name Which.
   * @param amount How much.
   * @param label One label, from a closed set, as `["reason", "size"]`.
   */
  add(name: CounterName, amount = 1, label?: readonly [string, string]): void {
    const key = label === undefined ? "" : labelled(label);
    const byLabel = this.#values.get(name) ?? new Map<string, number>();
    byLabel.set(key, (byLabel.get(key) ?? 0) + amount);
    this.#values.set(name, byLabel);
  }

  /**
   * The sum of a counter over its labels.
   *
   * @param name Which.
   * @returns Its value.
   */
  total(name: CounterName): number {
    return [...this.#values.get(name)?.values() ?? []].reduce((sum, value) => sum + value, 0);
  }

  /**
   * All of it as text.
   *
   * @param gauges What is measured now.
   * @returns The body of `/metrics`.
   */
  text(gauges: readonly Gauge[]): string {
    const lines: string[] = [];
    for (const [name, help] of Object.entries(COUNTERS) as [CounterName, string][]) {
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} counter`);
      const values = this.#values.get(name) ?? new Map([["", 0]]);
      for (const [label, value] of values) lines.push(`${name}${label} ${value}`);
    }
    for (const { name, help, value } of gauges) {
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} gauge`);
      if (typeof value === "number") lines.push(`${name} ${value}`);
      else {
        for (const [label, series] of Object.entries(value)) {
          for (const [of, number] of series) {
            lines.push(`${name}${labelled([label, of])} ${number}`);
          }
        }
      }
    }
    return lines.join("\n") + "\n";
  }
}

function labelled([label, value]: readonly [string, string]): string {
  return `{${label}="${value.replace(/[\\"\n]/g, "_")}"}`;
}
