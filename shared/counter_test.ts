import { assertEquals, assertThrows } from "@std/assert/mod.js";
import { chooseCounter, type Sibling } from "./counter.ts";
import { UpdateFailure } from "./failure.ts";

function release(hardware: string, version: string, counter: number): Sibling {
  return { release: `${hardware}/${version}`, version, counter };
}

const ROWS = [release("ivi", "1.10.0", 7), release("ivi", "1.9.0", 5)];

Deno.test("chooseCounter() takes the highest plus one, and the first is one", () => {
  assertEquals(chooseCounter({ hardware: "ivi", version: "1.0" }, []), 1);
  assertEquals(chooseCounter({ hardware: "ivi", version: "1.11.0" }, ROWS), 8);
  assertEquals(chooseCounter({ hardware: "ivi", version: "2", counter: 99 }, ROWS), 99);
});

Deno.test("chooseCounter() lets a given counter alone decide, so an older version can come again", () => {
  assertEquals(chooseCounter({ hardware: "ivi", version: "1.0", counter: 8 }, ROWS), 8);
});

Deno.test("chooseCounter() refuses what is taken or not higher, each by its name", () => {
  const cases = [
    [{ version: "1.9.0" }, "versionTaken"],
    [{ version: "1.9.0", counter: 99 }, "versionTaken"],
    [{ version: "1.9.5" }, "versionNotHigher"],
    [{ version: "1.10" }, "versionNotHigher"],
    [{ version: "1.10.0-rc.1" }, "versionNotHigher"],
    [{ version: "2", counter: 7 }, "counterTaken"],
    [{ version: "2", counter: 5 }, "counterTaken"],
    [{ version: "2", counter: 6 }, "counterNotHigher"],
  ] as const;
  for (const [request, name] of cases) {
    const run = () => chooseCounter({ hardware: "ivi", ...request }, ROWS);
    assertEquals(assertThrows(run, UpdateFailure).failure, name, JSON.stringify(request));
  }
  const full = [release("ivi", "1", 0xFFFFFFFF)];
  const error = assertThrows(() => chooseCounter({ hardware: "ivi", version: "2" }, full));
  assertEquals((error as UpdateFailure).failure, "counterNotHigher");
});
