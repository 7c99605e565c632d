/** The example resource. Replace it with your own. */

import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import { SERVICE } from "./config.ts";
import { Item, ItemPage, NewItem, Summary } from "./models.ts";
import { PROBLEMS, Refusal, wrong } from "./problems.ts";
import { responseOf, shared } from "./schemas.ts";
import type { Store } from "./store.ts";

export const PATH = `/v1/${SERVICE}`;
const LIMIT = 20; // items per page
const DEPTH = 1; // levels of calls for a summary
const tags = [SERVICE];
const uuid = Type.String({ format: "uuid" });

/** Return the routes. A summary includes the called services; this service calls none. */
export function items(store: Store, _callees: never[]): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      "",
      {
        schema: {
          operationId: "createItem",
          summary: "Create Item",
          description: "Create an item.",
          tags,
          body: shared(NewItem),
          response: { 201: responseOf(Item), ...PROBLEMS },
        },
      },
      async (request, reply) => {
        const item = await store.add(request.body.name);
        return reply.code(201).header("Location", `${PATH}/${item.id}`).send(item);
      },
    );

    app.get(
      "",
      {
        schema: {
          operationId: "listItems",
          summary: "List Items",
          description: "List the items, oldest first.",
          tags,
          querystring: Type.Object({
            limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: LIMIT })),
            cursor: Type.Optional(Type.Union([uuid, Type.Null()])),
          }),
          response: { 200: responseOf(ItemPage), ...PROBLEMS },
        },
      },
      async (request) => {
        const { limit = LIMIT, cursor } = request.query;
        const page = cursor === null ? undefined : await store.page(limit + 1, cursor);
        if (!page) {
          throw wrong("cursor", "unknown cursor");
        }
        const next = page.length > limit ? (page[limit - 1]?.id ?? null) : null;
        return { items: page.slice(0, limit), next };
      },
    );

    app.get(
      "/summary",
      {
        schema: {
          operationId: "getSummary",
          summary: "Get Summary",
          description:
            "Count the items here and, `depth` calls deep, in the services that this one calls.",
          tags,
          querystring: Type.Object({
            depth: Type.Optional(Type.Integer({ minimum: 0, maximum: 8, default: DEPTH })),
          }),
          response: { 200: responseOf(Summary), ...PROBLEMS },
        },
      },
      async () => ({ service: SERVICE, items: await store.count(), calls: {} }),
    );

    app.get(
      "/:id",
      {
        schema: {
          operationId: "getItem",
          summary: "Get Item",
          description: "Get one item.",
          tags,
          params: Type.Object({ id: uuid }),
          response: { 200: responseOf(Item), ...PROBLEMS },
        },
      },
      async (request) => {
        const item = await store.get(request.params.id);
        if (!item) {
          throw new Refusal(404, "No item has this id.");
        }
        return item;
      },
    );
  };
}
