/**
 * Where the compiled server begins.
 *
 * @module
 */
import { main } from "server/main.ts";

await main(Deno.args);
