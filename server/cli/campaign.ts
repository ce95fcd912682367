/**
 * `ota offer`, `halt`, `resume` and `withdraw`: what campaigns do.
 *
 * @module
 */
import type { Campaign } from "shared/protocol/api.ts";
import { CampaignId, ReleaseId } from "shared/protocol/common.ts";
import { argument, type Context } from "./context.ts";
import { refuseUnsigned } from "./keys_online.ts";

/**
 * Offers releases, drafts or not, as one bundle.
 *
 * @param context Server and output.
 * @param ids The releases, `HARDWARE/VERSION`.
 * @throws {CommandError} Usage, refused, unreachable; precondition, if one waits for a signature.
 */
export async function offer(context: Context, ids: readonly string[]): Promise<void> {
  const releases = ids.map((id) => argument(ReleaseId, id, "release"));
  const client = await context.client();
  show(context, await client.offer({ releases }));
  await refuseUnsigned(context, client, releases);
}

/**
 * Halts, resumes or withdraws a campaign.
 *
 * @param context Server and output.
 * @param verb What to do.
 * @param id The campaign.
 * @throws {CommandError} Usage, refused, unreachable.
 */
export async function steer(
  context: Context,
  verb: "halt" | "resume" | "withdraw",
  id: string,
): Promise<void> {
  const campaign = argument(CampaignId, id, "campaign");
  show(context, await (await context.client()).steer(campaign, verb));
}

function show(context: Context, { campaign, state, releases }: Campaign): void {
  context.output.result(
    { campaign, state, releases },
    `Campaign ${campaign} is ${state}: ${releases.join(" ")}`,
  );
}
