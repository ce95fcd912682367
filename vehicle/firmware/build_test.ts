/**
 * The sample firmware: built the same each time, without imports, and different by version.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert/mod.js";
import { crc32 } from "shared/bytes.ts";
import { buildFirmware, buildOne, VERSIONS } from "./build.ts";
import { dataTable, FIRMWARE_NAMES } from "./data_table.ts";
import { FAULTS } from "./faulty.ts";

Deno.test("buildFirmware() writes every image, the same bytes each time, none with an import", async () => {
  const [first, second] = [await Deno.makeTempDir(), await Deno.makeTempDir()];
  try {
    await buildFirmware(first);
    await buildFirmware(second);
    const names = [...Deno.readDirSync(first)].map((entry) => entry.name).sort();
    assertEquals(
      names,
      [
        ...FIRMWARE_NAMES.flatMap((name) => VERSIONS.map((version) => `${name}-${version}.bin`)),
        ...FAULTS.map((fault) => `faulty-${fault}.bin`),
      ].sort(),
    );
    for (const name of names) {
      const text = await Deno.readTextFile(`${first}/${name}`);
      assertEquals(text, await Deno.readTextFile(`${second}/${name}`), name);
      const imports = /^\s*(import|export)[ {*"]|\bimport\(/m.test(text);
      assertEquals(imports, name === "faulty-import.bin", name);
      assert(!text.includes(Deno.cwd()), name);
    }
  } finally {
    await Deno.remove(first, { recursive: true });
    await Deno.remove(second, { recursive: true });
  }
});

Deno.test("buildOne() makes images of 200 to 400 KB, of which a version changes little", async () => {
  for (const name of FIRMWARE_NAMES) {
    const [old, new_] = await Promise.all([
      buildOne(name, { version: "1.0.0" }),
      buildOne(name, { version: "1.1.0" }),
    ]);
    assert(old.length > 200_000 && old.length < 400_000, `${name}: ${old.length}`);
    assert(Math.abs(new_.length - old.length) < 10);
    const changed = old.filter((byte, i) => byte !== new_[i]).length;
    assert(changed > 1000 && changed < old.length / 8, `${name}: ${changed} bytes`);
    assertMatch(
      new TextDecoder().decode(new_.subarray(0, 100)),
      new RegExp(`^// ${name} 1\\.1\\.0\n`),
    );
  }
});

Deno.test("dataTable() carries its own check sum and follows the version", () => {
  const { table, tableCrc, version } = dataTable("body", "1.1.7");
  assertEquals([version, crc32(Uint8Array.fromBase64(table))], ["1.1.7", tableCrc]);
  assertEquals(dataTable("body", "1.1.0").tableCrc, tableCrc);
  assertNotEquals(dataTable("body", "1.2.0").tableCrc, tableCrc);
});
