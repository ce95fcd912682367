import { assertEquals, assertMatch } from "@std/assert/mod.js";
import { brokerPlace, brokerTrouble } from "./broker_line.ts";

Deno.test("brokerPlace() knows the ports of both schemes, and IPv6", () => {
  const places = ["mqtt://a.example", "mqtts://a.example", "mqtts://a.example:1", "mqtt://[::1]:7"]
    .map((url) => brokerPlace(url)).map(({ host, port }) => `${host} ${port}`);
  assertEquals(places, ["a.example 1883", "a.example 8883", "a.example 1", "::1 7"]);
});

Deno.test("brokerTrouble() tells the remedy for an unknown CA, and else what was said", () => {
  const error = (code?: string) => Object.assign(new Error("said"), { code });
  for (const code of ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "SELF_SIGNED_CERT_IN_CHAIN"]) {
    assertMatch(brokerTrouble(error(code)), /signed its certificate \(said\); .*DENO_CERT=FILE/);
  }
  for (const code of ["ECONNREFUSED", undefined]) assertEquals(brokerTrouble(error(code)), "said");
});
