import { assert, assertEquals, assertThrows } from "@std/assert/mod.js";
import { UpdateFailure } from "shared/failure.ts";
import { readIdentity } from "./identity_file.ts";

const IDENTITY = {
  v: 1,
  vin: "WVWZZZ1JZXW000001",
  secret: "s".repeat(43),
  device: "http://127.0.0.1:1",
  broker: "mqtt://127.0.0.1:2",
} as const;

/** A folder with an identity and its copy. */
function world(work: (path: string, log: string[]) => void): void {
  const folder = Deno.makeTempDirSync();
  try {
    const path = `${folder}/identity.json`;
    Deno.writeTextFileSync(path, JSON.stringify(IDENTITY), { mode: 0o600 });
    const log: string[] = [];
    assertEquals(readIdentity(path, (line) => log.push(line)), IDENTITY);
    assertEquals(log, [], "the first copy is nothing to tell of");
    work(path, log);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function flip(path: string, bit: number): void {
  const bytes = Deno.readFileSync(path);
  bytes[bit >> 3]! ^= 1 << (bit & 7);
  Deno.writeFileSync(path, bytes);
}

Deno.test("a bit of every byte of the identity, and of its copy: noticed, named, and healed from the other", () => {
  world((path, log) => {
    for (const damaged of [path, `${path}.copy`]) {
      const bits = Deno.statSync(damaged).size * 8;
      for (let bit = 0; bit < bits; bit += 7) { // Each place in a byte; healing syncs.
        log.length = 0;
        const before = Deno.readFileSync(damaged);
        flip(damaged, bit);
        assertEquals(readIdentity(path, (line) => log.push(line)), IDENTITY, `${damaged}, ${bit}`);
        assert(log.length === 1 && log[0]!.includes("recordRotten"), `${damaged}, ${bit}: ${log}`);
        assertEquals(Deno.readFileSync(damaged), before);
        assertEquals(Deno.statSync(damaged).mode! & 0o777, 0o600);
      }
    }
  });
});

Deno.test("an identity without its file comes back from the copy; before enrolment there is none", () => {
  world((path) => {
    Deno.removeSync(path);
    assertEquals(readIdentity(path), IDENTITY);
    Deno.removeSync(path);
    Deno.removeSync(`${path}.copy`);
    assertEquals(readIdentity(path), undefined);
  });
});

Deno.test("an identity that is damaged in both files, or that others may read, is refused by name", () => {
  world((path) => {
    flip(path, 3);
    flip(`${path}.copy`, 700);
    const name = () => assertThrows(() => readIdentity(path), UpdateFailure).failure;
    assertEquals(name(), "preconditionFailed");
    Deno.writeTextFileSync(path, JSON.stringify(IDENTITY));
    Deno.chmodSync(`${path}.copy`, 0o644);
    assertEquals(name(), "preconditionFailed");
  });
});
