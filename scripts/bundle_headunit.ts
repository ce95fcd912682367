/**
 * Where the compiled head unit begins. It starts itself once for each running image, as
 * `headunit runner-host FILE`; such a child loads nothing of the vehicle.
 *
 * @module
 */
if (Deno.args[0] === "runner-host") {
  const { runHost } = await import("vehicle/runner/host.ts");
  const { sealedWorker } = await import("vehicle/runner/sealed_worker.ts");
  await runHost(Deno.args[1] ?? "", sealedWorker);
} else {
  const { main } = await import("vehicle/main.ts");
  await main(Deno.args);
}
