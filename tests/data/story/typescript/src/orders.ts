/** Orders: each has lines, whose prices are those of products, and a status. */

import { setInterval } from "node:timers/promises";
import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import { type Callee, CalleeError, readIdentity, typeGuard } from "./calls.ts";
import { document } from "./clients/products.ts";
import { SERVICE } from "./config.ts";
import { type Line, NewOrder, NewStatus, Order, OrderList, Status } from "./models.ts";
import { PROBLEMS, Refusal } from "./problems.ts";
import { type Fault, responseOf, shared } from "./schemas.ts";
import type { Store } from "./store.ts";

export const PATH = `/v1/${SERVICE}`;
const tags = [SERVICE];
const params = Type.Object({ id: Type.String({ format: "uuid" }) });
const isProduct = typeGuard(document, "Item");

export function orders(
  store: Store,
  products: Callee,
  maxLines: number,
): FastifyPluginAsyncTypebox {
  async function find(id: string): Promise<Order> {
    const order = await store.get(id);
    if (!order) {
      throw new Refusal(404, "No order has this ID.");
    }
    return order;
  }

  /** Return what is wrong with a line: its product is unknown, or has another price. */
  async function check(
    line: Line,
    index: number,
    headers: Record<string, string>,
  ): Promise<Fault[]> {
    const pointer = `#/lines/${index}`;
    try {
      const product = await products.request("GET", "/v1/products/{id}", isProduct, {
        params: { id: line.product_id },
        headers,
      });
      const { price_cents: price } = product;
      return price === line.price_cents
        ? []
        : [{ detail: `The price is ${price}.`, pointer: `${pointer}/price_cents` }];
    } catch (error) {
      if (error instanceof CalleeError && error.response?.status === 404) {
        return [{ detail: "No product has this ID.", pointer: `${pointer}/product_id` }];
      }
      throw error;
    }
  }

  return async (app) => {
    app.post(
      "",
      {
        schema: {
          operationId: "createOrder",
          summary: "Create Order",
          description: "Create an order of products that exist, at their prices.",
          tags,
          body: shared(NewOrder),
          response: { 201: responseOf(Order), ...PROBLEMS },
        },
      },
      async (request, reply) => {
        const { lines } = request.body;
        if (lines.length > maxLines) {
          const detail = `An order has at most ${maxLines} lines.`;
          throw invalid([{ detail, pointer: "#/lines" }]);
        }
        const caller = readIdentity(request.headers);
        const checks = lines.map((line, index) => check(line, index, caller));
        const faults = (await Promise.all(checks)).flat();
        if (faults.length > 0) {
          throw invalid(faults);
        }
        const order = await find(await store.add(lines));
        return reply.code(201).header("Location", `${PATH}/${order.id}`).send(order);
      },
    );

    app.get(
      "",
      {
        schema: {
          operationId: "listOrders",
          summary: "List Orders",
          description: "List the newest orders, the newest first.",
          tags,
          querystring: Type.Object({ status: Type.Optional(Status) }),
          response: { 200: responseOf(OrderList), ...PROBLEMS },
        },
      },
      async (request) => ({ orders: await store.newest(request.query.status) }),
    );

    app.get(
      "/:id",
      {
        schema: {
          operationId: "getOrder",
          summary: "Get Order",
          description: "Get one order.",
          tags,
          params,
          response: { 200: responseOf(Order), ...PROBLEMS },
        },
      },
      async (request) => await find(request.params.id),
    );

    app.put(
      "/:id/status",
      {
        schema: {
          operationId: "setOrderStatus",
          summary: "Set Order Status",
          description: "Change the status of an open order.",
          tags,
          params,
          body: shared(NewStatus),
          response: { 200: responseOf(Order), ...PROBLEMS },
        },
      },
      async (request) => {
        const changed = await store.change(request.params.id, request.body.status);
        const order = await find(request.params.id);
        if (!changed) {
          throw new Refusal(409, `The order is ${order.status}.`);
        }
        return order;
      },
    );
  };
}

function invalid(faults: Fault[]): Refusal {
  return new Refusal(422, "The request is not valid.", faults);
}

/** Let open orders expire, once a second, until the service stops. */
export async function expire(store: Store, seconds: number, signal: AbortSignal): Promise<void> {
  for await (const _ of setInterval(1000, undefined, { signal })) {
    try {
      await store.expire(seconds);
    } catch (error) {
      if (!(error instanceof Refusal)) {
        throw error;
      } // else the database is unreachable: /readyz and the log report it
    }
  }
}
