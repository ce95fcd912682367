/**
 * OpenAPI 3.1 from the table of routes and the zod schemas: it cannot say anything else than what
 * the server does.
 *
 * @module
 */
import { z } from "zod";
import { MAX_PAGE_ROWS } from "shared/limits.ts";
import { Problem } from "shared/protocol/api.ts";
import type { Answer, Route } from "./routes/route.ts";

/**
 * Describes the people's API.
 *
 * @param routes The table of routes.
 * @returns The OpenAPI document.
 */
export function openApi(routes: readonly Route[]): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = route.path.replace(/:([a-z0-9]+)/gi, "{$1}");
    (paths[path] ??= {})[route.method.toLowerCase()] = operation(route);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "headunit-ota",
      version: "1",
      description: "Publishing updates for head units, and watching vehicles take them.",
    },
    paths,
    components: {
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer" },
        cookie: { type: "apiKey", in: "cookie", name: "ota_session" },
      },
      schemas: { Problem: jsonSchema(Problem, "output") },
    },
  };
}

/** What a list takes. */
const PAGE = [
  {
    ...{ name: "limit", in: "query", description: "Rows of this page" },
    schema: { type: "integer", minimum: 1, maximum: MAX_PAGE_ROWS, default: MAX_PAGE_ROWS },
  },
  {
    ...{ name: "after", in: "query", schema: { type: "string" } },
    description: "Id of the last row of the page before; the header Link names the next page",
  },
];

function operation(route: Route): Record<string, unknown> {
  const parameters = [...route.path.matchAll(/:([a-z0-9]+)/gi)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
  const query = route.paged === true ? PAGE : [];
  const responses: Record<string, unknown> = {
    default: {
      description: "A failure of the catalogue",
      content: {
        "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } },
      },
    },
  };
  for (const [status, answer] of Object.entries(route.answers)) responses[status] = said(answer);
  return {
    summary: route.summary,
    ...(parameters.length + query.length > 0 ? { parameters: [...parameters, ...query] } : {}),
    ...(route.body === undefined ? {} : {
      requestBody: {
        required: true,
        content: { "application/json": { schema: jsonSchema(route.body, "input") } },
      },
    }),
    responses,
    ...(route.access === "open"
      ? { security: [] }
      : { security: [{ bearer: [] }, { cookie: [] }], "x-role": route.access }),
  };
}

function said({ description, schema }: Answer): Record<string, unknown> {
  return schema === undefined ? { description } : {
    description,
    content: { "application/json": { schema: jsonSchema(schema, "output") } },
  };
}

function jsonSchema(schema: z.ZodType, io: "input" | "output"): Record<string, unknown> {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { unrepresentable: "any", io });
  return rest;
}
