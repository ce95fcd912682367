import { assert, assertEquals } from "@std/assert/mod.js";
import { isBrokerUser, mosquittoAcl, mosquittoConf, mosquittoPasswords } from "./mosquitto.ts";
import { mayPublish, maySubscribe, parseTopic, TOPICS } from "./topics.ts";

const VIN = "WVWZZZ1JZXW000001";
const OTHER = "WVWZZZ1JZXW000002";
const TOPICS_TRIED = [VIN, OTHER, "x"].flatMap((name) => [
  ...["desired", "status", "event", "conn"].map((leaf) => `ota/v1/vehicle/${name}/${leaf}`),
  ...[`ota/v1/vehicle/${name}`, `ota/v2/vehicle/${name}/conn`, `ota/v1/announce/${name}`],
]).concat("ota/v1/server/status", "ota/v1/server/probe", "ota/v1/chunk/00ff/12", "ota", "$SYS/x");

/** Mosquitto's reading of the list, for topics without wildcards: what fits no line is refused. */
function may(user: string, want: "read" | "write", topic: string): boolean {
  let of: string | undefined;
  return mosquittoAcl("ota-server").split("\n").some((line) => {
    const [kind, first, second] = line.split(" ");
    if (kind === "user") of = first;
    const mine = kind === "pattern" || (kind === "topic" && of === user);
    if (!mine || (first !== want && first !== "readwrite")) return false;
    const filter = second!.replaceAll("%u", user).replace(/[.$]/g, "\\$&")
      .replace(/\/#$/, "(/.*)?").replaceAll("+", "[^/]+");
    return new RegExp(`^${filter}$`).test(topic);
  });
}

Deno.test("mosquittoAcl() lets a vehicle do what topics.ts lets it do, and nothing else", () => {
  let [allowed, refused] = [0, 0];
  for (const topic of TOPICS_TRIED) {
    const written = may(VIN, "write", topic);
    assertEquals(written, mayPublish(VIN, topic), `write ${topic}`);
    assertEquals(may(VIN, "read", topic), maySubscribe(VIN, topic), `read ${topic}`);
    if (written) allowed++;
    else refused++;
  }
  assertEquals([allowed, refused > 20], [3, true]);
});

Deno.test("mosquittoAcl() lets the server say what is from it, and hear what is from vehicles", () => {
  for (const topic of TOPICS_TRIED) {
    const parsed = parseTopic(topic);
    if (parsed === undefined) continue;
    const { from } = TOPICS[parsed.kind];
    assert(may("ota-server", from === "server" ? "write" : "read", topic), topic);
    if (from === "vehicle") assert(!may("ota-server", "write", topic), topic);
  }
});

Deno.test("mosquittoPasswords() and mosquittoConf() write a line for each thing", () => {
  const entries = [{ user: VIN, entry: "$7$101$a$b" }, { user: "ota-server", entry: "$7$9$c$d" }];
  assertEquals(mosquittoPasswords(entries), `${VIN}:$7$101$a$b\nota-server:$7$9$c$d\n`);
  const conf = mosquittoConf({ host: "127.0.0.1", port: 1884, folder: "/a b", user: "me" });
  for (const line of ["listener 1884 127.0.0.1", "allow_anonymous false", "user me"]) {
    assert(conf.split("\n").includes(line), line);
  }
  assert(conf.includes("password_file /a b/passwords\nacl_file /a b/acl\n"));
});

Deno.test("isBrokerUser() takes no name that breaks a line or widens a pattern", () => {
  assertEquals(["ota-server", "a.b@c"].map(isBrokerUser), [true, true]);
  for (const bad of ["", "a:b", "a\nb", "+", "a/b", "#", "a b", "x".repeat(65)]) {
    assert(!isBrokerUser(bad), bad);
  }
});
