/**
 * Debian's Mosquitto as the outside broker of a journey, set up by the very commands of
 * docs/operating.md, with the folders and ports of the test in place of those written there.
 *
 * @module
 */
import { assert } from "@std/assert/mod.js";
import { ROOT } from "../scripts/process.ts";
import { hasProgram } from "./real_images.ts";

/** Waits for the broker to listen, in steps of 20 ms. */
const MAX_LOOKS = 500;
/** The password of the documentation is replaced, lest it seem a default. */
const PASSWORD = "of-the-journey";

/** What a client of the shell printed. */
export interface Heard {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** One Mosquitto in a folder of its own. */
export class Mosquitto {
  readonly folder: string;
  readonly port: number = freePort();
  /** More lines of its configuration. */
  extra: readonly string[] = [];
  /** The CA that vehicles and server trust; `undefined`: it speaks in the clear. */
  ca: string | undefined;
  #process: Deno.ChildProcess | undefined;
  #log: Promise<string> = Promise.resolve("");
  readonly #commands: readonly string[];

  /** @param parent The test's folder. */
  constructor(parent: string) {
    this.folder = `${parent}/broker`;
    this.#commands = documentedCommands().map((line) =>
      line.replaceAll(".broker", this.folder).replaceAll("1884", `${this.port}`)
    );
    Deno.mkdirSync(this.folder);
  }

  /** What the server is started with beside its folder and listeners. */
  get serverArgs(): { readonly broker: string; readonly args: readonly string[] } {
    const words = this.#command("deno task server ");
    const from = words.indexOf("--broker");
    assert(from > 0, "the documented server has an outside broker");
    const url = words[from + 1]!;
    const broker = this.ca === undefined ? url : url.replace(/^mqtt:/, "mqtts:");
    return { broker, args: words.slice(from + 2) };
  }

  /** What makes a program trust its certificate. */
  get trust(): Readonly<Record<string, string>> {
    return this.ca === undefined ? {} : { DENO_CERT: this.ca };
  }

  /** Makes it speak TLS, with a certificate of a throw-away CA. @returns Another, foreign CA. */
  async useTls(): Promise<string> {
    const place = (name: string) => `${this.folder}/${name}.pem`;
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    for (const name of ["ca", "foreign"]) {
      const files = ["-keyout", place(`${name}-key`), "-out", place(name)];
      await openssl(["req", "-x509", ...key, "-days", "2", "-subj", `/CN=${name}`, ...files]);
    }
    const request = ["-keyout", place("key"), "-out", place("request")];
    await openssl(["req", "-new", ...key, "-subj", "/CN=broker", ...request]);
    const about = "subjectAltName=IP:127.0.0.1\nbasicConstraints=critical,CA:FALSE\n";
    await Deno.writeTextFile(place("about"), about);
    const signed = ["-CA", place("ca"), "-CAkey", place("ca-key"), "-CAcreateserial"];
    const files = ["-in", place("request"), "-extfile", place("about"), "-out", place("cert")];
    await openssl(["x509", "-req", "-days", "2", ...signed, ...files]);
    this.extra = [`certfile ${place("cert")}`, `keyfile ${place("key")}`];
    this.ca = place("ca");
    return place("foreign");
  }

  /** The server's own user. */
  get serverEnv(): Readonly<Record<string, string>> {
    const [, user] = /\bOTA_BROKER_USER=(\S+)/.exec(this.#commands.join("\n"))!;
    return { OTA_BROKER_USER: user!, OTA_BROKER_PASSWORD: PASSWORD, ...this.trust };
  }

  /** What is typed after `ota` to write its files. */
  get otaArgs(): readonly string[] {
    // As root it would become a user who cannot read the test's folder.
    const user = Deno.uid() === 0 ? ["--user", "root"] : [];
    return [...this.#command("deno task ota broker "), ...user];
  }

  #command(start: string): string[] {
    const line = this.#commands.find((one) => one.startsWith(start));
    assert(line !== undefined, `docs/operating.md tells "${start}…"`);
    const skipped = start.startsWith("deno task ota") ? "deno task ota " : start;
    return line.slice(skipped.length).split(" ");
  }

  /** Starts it, again on its port. */
  async start(): Promise<void> {
    if (this.extra.length > 0) {
      await Deno.writeTextFile(`${this.folder}/mosquitto.conf`, `${this.extra.join("\n")}\n`, {
        append: true,
      });
    }
    this.extra = [];
    // Lest it live on when the tests are killed.
    const tied = hasProgram("setpriv") ? ["setpriv", "--pdeathsig", "KILL"] : [];
    const [program, ...args] = [...tied, "mosquitto", ...this.#command("mosquitto ")];
    const process = new Deno.Command(program!, {
      args,
      env: programPath(),
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#process = process;
    this.#log = new Response(process.stderr).text();
    let ended = false;
    void process.status.then(() => ended = true);
    for (let looks = 0; looks < MAX_LOOKS && !ended; looks++) {
      try {
        (await Deno.connect({ hostname: "127.0.0.1", port: this.port })).close();
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
    throw new Error(`Cannot start mosquitto: ${ended ? await this.#log : "it does not listen"}`);
  }

  /** Ends it; all it kept is gone. @returns Its log. */
  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<string> {
    const process = this.#process;
    this.#process = undefined;
    if (process === undefined) return "";
    try {
      process.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // It has ended by itself.
    }
    await process.status;
    return await this.#log;
  }

  /** Listens as a vehicle does, for as long as it takes to hear `count` messages. */
  sub(
    user: string,
    password: string,
    topics: readonly string[],
    options: {
      readonly seconds: number;
      readonly count?: number;
      readonly id?: string;
      readonly more?: readonly string[];
    },
  ): Promise<Heard> {
    const { seconds, count, id, more = [] } = options;
    return this.#client("mosquitto_sub", user, password, [
      ...["-W", `${seconds}`, "-v", "-q", "2"],
      ...(count === undefined ? [] : ["-C", `${count}`]),
      ...(id === undefined ? [] : ["-i", id]),
      ...topics.flatMap((topic) => ["-t", topic]),
      ...more,
    ]);
  }

  /** Says one retained message as a vehicle does. */
  pub(user: string, password: string, topic: string, text: string): Promise<Heard> {
    const message = ["-t", topic, "-m", text, "-q", "1", "-r"];
    return this.#client("mosquitto_pub", user, password, message);
  }

  async #client(program: string, user: string, password: string, args: string[]): Promise<Heard> {
    const tls = this.ca === undefined ? [] : ["--cafile", this.ca];
    const place = ["-V", "mqttv311", "-h", "127.0.0.1", "-p", `${this.port}`, ...tls];
    const { code, stdout, stderr } = await new Deno.Command(program, {
      args: [...place, "-u", user, "-P", password, ...args],
      stdin: "null",
    }).output();
    const text = new TextDecoder();
    return { code, out: text.decode(stdout), err: text.decode(stderr) };
  }
}

async function openssl(args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", { args: [...args], stdin: "null" })
    .output();
  assert(success, new TextDecoder().decode(stderr));
}

/** Debian keeps it where only root's shell looks. */
function programPath(): Record<string, string> {
  return { PATH: `${Deno.env.get("PATH") ?? ""}:/usr/sbin` };
}

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

/** The lines of the shell in the section "Outside broker". */
function documentedCommands(): string[] {
  const text = Deno.readTextFileSync(`${ROOT}docs/operating.md`);
  const section = /^## Outside broker$([\s\S]*?)(?=^## |(?![\s\S]))/m.exec(text)?.[1] ?? "";
  return [...section.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block]) =>
    block!.trim().split("\n")
  );
}
