/**
 * Hardware ids, releases, campaigns.
 *
 * @module
 */
import { z } from "zod";
import { UpdateFailure } from "shared/failure.ts";
import {
  Campaign,
  CampaignRequest,
  Hardware,
  HardwareRequest,
  Published,
  Release,
  ReleaseRequest,
} from "shared/protocol/api.ts";
import { CampaignId, HardwareId, ReleaseId, Version } from "shared/protocol/common.ts";
import { VERBS } from "../campaign/verbs.ts";
import type { Core } from "../core.ts";
import { readReleaseRequest } from "../release/rules.ts";
import { answerPage, json, param, readAnyBody, readBody, type Route } from "./route.ts";

async function campaignOf(core: Core, id: string): Promise<Campaign> {
  const campaign = await core.view.campaign(id);
  if (campaign !== undefined) return campaign;
  throw new UpdateFailure("campaignUnknown", id, `Cannot find ${id}: there is no such campaign`);
}

const HARDWARE_ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "/api/v1/hardware",
    access: "viewer",
    summary: "Known hardware ids: built in, reported by vehicles, added by hand",
    answers: { 200: { description: "All of them", schema: z.array(Hardware) } },
    handle: async (_c, core) => json(await core.ports.records.read((tables) => tables.hardware())),
  },
  {
    method: "POST",
    path: "/api/v1/hardware",
    access: "operator",
    summary: "Add a hardware id",
    body: HardwareRequest,
    answers: {
      201: { description: "Added", schema: Hardware },
      200: { description: "It was known already", schema: Hardware },
    },
    async handle(c, core) {
      const { hardware } = await readBody(c.req.raw, HardwareRequest, "hardware");
      const { fresh, row } = await core.ports.records.write(async (tables) => {
        const fresh = await tables.putHardware({ hardware, origin: "added" });
        const row = (await tables.hardware()).find((each) => each.hardware === hardware);
        return { fresh, row };
      });
      if (fresh) core.feed.changed("hardware", hardware);
      return json(row, fresh ? 201 : 200);
    },
  },
];

const CAMPAIGN_ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "/api/v1/campaigns",
    access: "viewer",
    summary: "Campaigns, newest first",
    paged: true,
    answers: { 200: { description: "A page of them", schema: z.array(Campaign) } },
    handle: (c, core) =>
      answerPage(c, CampaignId, {
        rows: (page) => core.view.campaigns(page),
        idOf: ({ campaign }) => campaign,
      }),
  },
  {
    method: "POST",
    path: "/api/v1/campaigns",
    access: "publisher",
    summary: "Offer releases as one bundle; drafts become published",
    body: CampaignRequest,
    answers: { 201: { description: "Offered", schema: Campaign } },
    async handle(c, core) {
      const { releases } = await readBody(c.req.raw, CampaignRequest, "campaign");
      const id = await core.publisher.offer(releases, c.get("session").user);
      return json(await campaignOf(core, id), 201, { location: `/api/v1/campaigns/${id}` });
    },
  },
  {
    method: "GET",
    path: "/api/v1/campaigns/:campaign",
    access: "viewer",
    summary: "One campaign with its vehicles",
    answers: { 200: { description: "The campaign", schema: Campaign } },
    handle: async (c, core) => json(await campaignOf(core, param(c, "campaign", CampaignId))),
  },
  ...VERBS.map((verb): Route => ({
    method: "POST",
    path: `/api/v1/campaigns/:campaign/${verb}`,
    access: "operator",
    summary: `${verb} a campaign`,
    answers: { 200: { description: "The campaign afterwards", schema: Campaign } },
    async handle(c, core) {
      const id = param(c, "campaign", CampaignId);
      await core.publisher.act(id, verb);
      return json(await campaignOf(core, id));
    },
  })),
];

/** Routes of hardware ids, releases and campaigns. */
export const RELEASE_ROUTES: readonly Route[] = [
  ...HARDWARE_ROUTES,
  {
    method: "GET",
    path: "/api/v1/releases",
    access: "viewer",
    summary: "Releases, newest first",
    paged: true,
    answers: { 200: { description: "A page of them", schema: z.array(Release) } },
    handle: (c, core) =>
      answerPage(c, ReleaseId, {
        rows: (page) => core.view.releases(page),
        idOf: ({ release }) => release,
      }),
  },
  {
    method: "POST",
    path: "/api/v1/releases",
    access: "publisher",
    summary: "Publish an uploaded image or patch; without draft it is offered at once",
    body: ReleaseRequest,
    answers: {
      201: { description: "Published", schema: Published },
      200: {
        description: "The patch became a carrier of a release that exists",
        schema: Published,
      },
    },
    async handle(c, core) {
      const request = readReleaseRequest(await readAnyBody(c.req.raw, "release"));
      const published = await core.publisher.publish(request, c.get("session").user);
      const added = published.campaign === null && !request.draft;
      return json(published, added ? 200 : 201, {
        location: `/api/v1/releases/${published.release}`,
      });
    },
  },
  {
    method: "GET",
    path: "/api/v1/releases/:hardware/:version",
    access: "viewer",
    summary: "One release",
    answers: { 200: { description: "The release", schema: Release } },
    async handle(c, core) {
      const id = `${param(c, "hardware", HardwareId)}/${param(c, "version", Version)}`;
      const release = await core.view.release(id);
      if (release !== undefined) return json(release);
      throw new UpdateFailure("releaseUnknown", id, `Cannot find ${id}: there is no such release`);
    },
  },
  ...CAMPAIGN_ROUTES,
];
