import { assertEquals } from "@std/assert/mod.js";
import { ReleaseRequest } from "shared/protocol/api.ts";
import { checkForm, EMPTY_FORM, fieldOf, NOTE_FIELDS, releaseRequest } from "./form.ts";

const GOOD = {
  ...EMPTY_FORM,
  hardware: "ivi-rpi4",
  version: "1.5.0",
  purpose: "Security",
  changes: "Bluetooth",
  minutes: "6",
  unavailable: "Radio",
  instructions: "Park",
};
const SHA = "a".repeat(64);

Deno.test("checkForm() names every field that is missing and passes a whole form", () => {
  assertEquals(Object.keys(checkForm(EMPTY_FORM, null)).toSorted(), [
    "changes",
    "file",
    "hardware",
    "instructions",
    "minutes",
    "purpose",
    "unavailable",
    "version",
  ]);
  assertEquals(checkForm(GOOD, "image"), {});
});

Deno.test("checkForm() refuses each empty note, odd minutes, counters and versions", () => {
  for (const { field } of NOTE_FIELDS) {
    assertEquals(Object.keys(checkForm({ ...GOOD, [field]: "  " }, "image")), [field]);
  }
  for (const minutes of ["0", "1441", "1.5", "-3", "1e3", "six"]) {
    assertEquals(Object.keys(checkForm({ ...GOOD, minutes }, "image")), ["minutes"], minutes);
  }
  for (const counter of ["0", "-1", "4294967296", "1.0", "x"]) {
    assertEquals(Object.keys(checkForm({ ...GOOD, counter }, "image")), ["counter"], counter);
  }
  for (const version of ["", "v1", "1.", "01.2", "1.2.3.4.5"]) {
    assertEquals(Object.keys(checkForm({ ...GOOD, version }, "image")), ["version"], version);
  }
  assertEquals(Object.keys(checkForm(GOOD, "patch")), ["deltaFrom"]);
});

Deno.test("releaseRequest() makes what the server's schema takes, for images and patches", () => {
  const image = ReleaseRequest.parse(
    releaseRequest({ ...GOOD, counter: "9" }, { kind: "image", sha256: SHA }),
  );
  assertEquals([image.sha256, image.counter, image.draft], [SHA, 9, false]);
  const patch = ReleaseRequest.parse(
    releaseRequest({ ...GOOD, deltaFrom: "1.4.0" }, { kind: "patch", sha256: SHA }),
  );
  assertEquals([patch.patchSha256, patch.deltaFrom, patch.sha256], [SHA, "1.4.0", undefined]);
});

Deno.test("fieldOf() puts a refusal beside its field, by subject or else by name", () => {
  const at = (subject: string, name = "badRequest") =>
    fieldOf({ detail: "", remedy: "", subject, name });
  assertEquals(at("version"), "version");
  assertEquals(at("notes.purpose", "noteEmpty"), "purpose");
  assertEquals(at("patchSha256"), "file");
  assertEquals(at("ivi-rpi4/1.5.0", "versionTaken"), "version");
  assertEquals(at(SHA, "patchDamaged"), "file");
  assertEquals(at("draft"), "form");
  assertEquals(at("toString"), "form");
  assertEquals(at("", ""), "form");
});
