/**
 * Peak resident memory of applying a container: the kernel's high-water mark of the process, for
 * 134 MB and for 1 GiB, against an empty program and against the same program that applies nothing.
 *
 * Takes the pair root-ext4 of `$OTA_CORPUS/pairs` (default `./corpus`). To make the container of
 * 1 GiB takes minutes: `OTA_BENCH_KEEP` may name a folder where it stays for the next run, together
 * with what it is made of. What is made from it is compared byte for byte in every run.
 *
 * @module
 */
import { join } from "node:path";
import { OTA_FLAGS, VEHICLE_FLAGS } from "./delta_peers.ts";
import { assertSame, isThere, measured, median, whyNotMeasured } from "./measure.ts";

const APPLIER = new URL("./delta_apply.ts", import.meta.url).pathname;
const CLI = new URL("../../server/cli/main.ts", import.meta.url).pathname;
/** One run may be off by 2 MiB, as compilers and collectors run beside the program. */
const ROUNDS = 7;
const MUST_MIB = 24;
const AIM_MIB = 16;

/** Median, lowest and highest peak in MiB. */
interface Peak {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

/** The files of one size. */
interface Case {
  readonly old: string;
  readonly target: string;
  readonly container: string;
}

/**
 * Runs the bench.
 *
 * @param log Takes a line about each step.
 * @returns Markdown, or why it was skipped.
 */
export async function benchApplyMemory(
  log: (line: string) => void,
): Promise<string | { skipped: string }> {
  const why = whyNotMeasured();
  if (why !== null) return { skipped: why };
  const pair = join(Deno.env.get("OTA_CORPUS") ?? "corpus", "pairs", "root-ext4");
  if (!isThere(join(pair, "new"))) return { skipped: `no ${pair}; see OTA_CORPUS` };
  const folder = await Deno.makeTempDir({ prefix: "bench-apply-" });
  try {
    const keep = Deno.env.get("OTA_BENCH_KEEP") ?? folder;
    const small: Case = {
      ...{ old: join(pair, "old"), target: join(pair, "new") },
      container: join(keep, "root-ext4.otac"),
    };
    const [old, target] = [join(keep, "gib.old"), join(keep, "gib.new")];
    const large: Case = { old, target, container: join(keep, "gib.otac") };
    if (!isThere(old)) await eightTimes(small.old, old);
    if (!isThere(target)) await eightTimes(small.target, target);
    for (const one of [small, large]) {
      if (!isThere(one.container)) await makeContainer(one);
      log(`${one.container} is there`);
    }
    return await tableOf(folder, [small, large], log);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function tableOf(
  folder: string,
  cases: readonly [Case, Case],
  log: (line: string) => void,
): Promise<string> {
  const empty = join(folder, "empty.js");
  await Deno.writeTextFile(empty, "");
  // As one file of JavaScript: what the loader of TypeScript takes is not what applying takes.
  const applier = join(folder, "apply.js");
  const bundled = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--platform", "deno", "-o", applier, APPLIER],
  }).output();
  if (!bundled.success) throw new Error(new TextDecoder().decode(bundled.stderr));
  const out = join(folder, "out");
  const bare = ["run", "-A", "--quiet", "--no-config", VEHICLE_FLAGS];
  const tool = ["run", "-A", "--quiet", OTA_FLAGS, CLI, "patch"];
  const runs: Record<string, { args: readonly string[]; made?: string }> = {
    empty: { args: [...bare, empty] },
    idle: { args: [...bare, applier] },
    small: {
      args: [...bare, applier, cases[0].old, cases[0].container, out],
      made: cases[0].target,
    },
    large: {
      args: [...bare, applier, cases[1].old, cases[1].container, out],
      made: cases[1].target,
    },
    patch: { args: [...tool, cases[0].old, cases[0].container, out], made: cases[0].target },
  };
  // Round by round, so that what else the machine does meets all of them alike.
  const found: Record<string, number[]> = {};
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, { args, made }] of Object.entries(runs)) {
      const { peakKib } = await measured(Deno.execPath(), args);
      (found[name] ??= []).push(peakKib / 1024);
      if (made !== undefined && round === 0) await assertSame(out, made);
    }
    const last = Object.entries(found).map(([name, all]) => `${name} ${all.at(-1)!.toFixed(1)}`);
    log(`round ${round + 1} of ${ROUNDS}: ${last.join(", ")} MiB`);
  }
  const peaks = Object.fromEntries(
    Object.entries(found).map(([name, all]) => [name, {
      ...{ median: median(all), lowest: Math.min(...all), highest: Math.max(...all) },
    }]),
  );
  return markdown(peaks as Record<"empty" | "idle" | "small" | "large" | "patch", Peak>);
}

function markdown(peaks: Record<"empty" | "idle" | "small" | "large" | "patch", Peak>): string {
  const { empty, idle, small, large, patch } = peaks;
  const show = ({ median, lowest, highest }: Peak) =>
    `${median.toFixed(1)} (${lowest.toFixed(1)}–${highest.toFixed(1)})`;
  const above = (peak: Peak, floor: Peak) => (peak.median - floor.median).toFixed(1);
  const row = (name: string, peak: Peak) =>
    `| ${name} | ${show(peak)} | ${above(peak, empty)} | ${above(peak, idle)} |`;
  return [
    `Deno ${Deno.version.deno}, ${VEHICLE_FLAGS}; \`ota patch\` with ${OTA_FLAGS}. The kernel's ` +
    `high-water mark of resident memory in MiB, median of ${ROUNDS} runs (lowest to highest). ` +
    `Above an empty program, must ${MUST_MIB}, aim ${AIM_MIB}. "Idle" is the program that ` +
    "applies, loaded, applying nothing.",
    [
      "| program | peak | above an empty one | above idle |",
      "| --- | --- | --- | --- |",
      row("empty", empty),
      row("idle", idle),
      row("apply 134 MB", small),
      row("apply 1 GiB", large),
      row("`ota patch` 134 MB", patch),
    ].join("\n"),
    `From 134 MB to 1 GiB it grows by ${above(large, small)} MiB.`,
  ].join("\n\n");
}

async function makeContainer({ old, target, container }: Case): Promise<void> {
  const args = ["delta", "--effort", "fast", old, target, container];
  await measured(Deno.execPath(), ["run", "-A", "--quiet", OTA_FLAGS, CLI, ...args]);
}

/** 1 GiB of eight file systems, no two of which begin with the same bytes. */
async function eightTimes(source: string, target: string): Promise<void> {
  using out = await Deno.open(target, { write: true, create: true, truncate: true });
  const bytes = await Deno.readFile(source);
  for (let i = 0; i < 8; i++) {
    for (let at = i; at < bytes.length; at += 4096) bytes[at] = bytes[at]! ^ (i + 1);
    for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await out.write(rest));
  }
}
