/** @module */
import { assertEquals } from "@std/assert/mod.js";
import { createHash } from "node:crypto";
import { outcome } from "../../tests/trust/world.ts";
import { checkFile, type FileFacts } from "./files.ts";

const BYTES = new TextEncoder().encode("abc");

function hashOf(algorithm: string): string {
  return createHash(algorithm).update(BYTES).digest("hex");
}

Deno.test("checkFile() checks whatever is signed of a file: length, either hash, or both", async () => {
  const [sha256, sha512] = [hashOf("sha256"), hashOf("sha512")];
  const check = (facts: FileFacts) => outcome(() => checkFile("file", BYTES, facts));
  const good: FileFacts[] = [{}, { length: 3 }, { hashes: { sha256 } }, { hashes: { sha512 } }]
    .concat({ length: 3, hashes: { sha256: sha256.toUpperCase(), sha512, md5: "other" } } as never);
  for (const facts of good) assertEquals(await check(facts), "trusted");
  const zero = "0".repeat(64);
  const bad: FileFacts[] = [{ length: 2 }, { length: 4 }, { length: 0 }]
    .concat([{ hashes: { sha256: zero } }, { hashes: { sha256, sha512: zero + zero } }] as never);
  for (const facts of bad) assertEquals(await check(facts), "metadataMixed");
});
