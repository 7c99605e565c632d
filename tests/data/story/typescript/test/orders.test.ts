/** Orders, tested over HTTP, with products that this test serves. */

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import type { Line, Order } from "../src/models.ts";
import { PATH } from "../src/orders.ts";
import { environment, skip } from "./environment.ts";
import { Service } from "./running.ts";

const TEA = randomUUID();
const BROKEN = randomUUID();
const LINE: Line = { product_id: TEA, quantity: 2, price_cents: 450 };

/** Products with one product, and one that cannot be read. */
const products = createServer((request, response) => {
  const id = request.url?.split("/").at(-1) ?? "";
  response.statusCode = { [TEA]: 200, [BROKEN]: 500 }[id] ?? 404;
  response.end(
    JSON.stringify({ id, name: "tea", price_cents: 450, created_at: "2026-11-28T12:00:00Z" }),
  );
});

describe("orders", { skip }, () => {
  let service: Service;
  let variables: Record<string, string>;
  before(async () => {
    await once(products.listen(0, "127.0.0.1"), "listening");
    const { port } = products.address() as AddressInfo;
    variables = { ...environment, PRODUCTS_URL: `http://127.0.0.1:${port}` };
    service = await Service.started({ ...variables, MAX_LINES: "3" });
  });
  after(() => products.close());

  const post = (lines: Line[]) => service.send(PATH, JSON.stringify({ lines }));
  const get = (path: string) => service.ask("GET", PATH + path);
  const list = async (query: string): Promise<Order[]> => (await (await get(query)).json()).orders;
  const put = (id: string, status: string) =>
    service.ask("PUT", `${PATH}/${id}/status`, {
      body: JSON.stringify({ status }),
      headers: { "Content-Type": "application/json" },
    });

  async function create(): Promise<Order> {
    const response = await post([LINE]);
    assert.equal(response.status, 201);
    const order = await response.json();
    assert.equal(response.headers.get("Location"), `${PATH}/${order.id}`);
    return order;
  }

  test("a created order is found", async () => {
    const order = await create();
    assert.equal(order.status, "open");
    assert.equal(order.total_cents, 900);
    assert.deepEqual(order.lines, [LINE]);
    assert.deepEqual(await (await get(`/${order.id}`)).json(), order);
    assert.equal((await get(`/${randomUUID()}`)).status, 404);
  });

  test("only an open order is paid", async () => {
    const { id } = await create();
    assert.equal((await (await put(id, "paid")).json()).status, "paid");
    assert.equal((await put(id, "paid")).status, 409);
    assert.equal((await put(id, "open")).status, 422);
    assert.equal((await put(randomUUID(), "paid")).status, 404);
  });

  test("orders are listed by status, the newest first", async () => {
    const first = await create();
    const second = await create();
    assert.deepEqual((await list("?status=open")).slice(0, 2), [second, first]);
    assert.ok((await list("?status=paid")).every(({ status }) => status === "paid"));
    assert.equal((await get("?status=lost")).status, 422);
  });

  const rejected: [Line[], string][] = [
    [[], "#/lines"],
    [[LINE, LINE, LINE, LINE], "#/lines"],
    [[{ ...LINE, quantity: 0 }], "#/lines/0/quantity"],
    [[{ ...LINE, product_id: randomUUID() }], "#/lines/0/product_id"],
    [[LINE, { ...LINE, price_cents: 1 }], "#/lines/1/price_cents"],
  ];
  for (const [lines, pointer] of rejected) {
    test(`an order of ${lines.length} lines is rejected at ${pointer}`, async () => {
      const response = await post(lines);
      assert.equal(response.status, 422);
      const { errors } = await response.json();
      assert.deepEqual(
        errors.map((fault: { pointer: string }) => fault.pointer),
        [pointer],
      );
    });
  }

  test("a failure of products is a 502", async () => {
    const response = await post([{ ...LINE, product_id: BROKEN }]);
    assert.equal(response.status, 502);
  });

  test("open orders expire", async () => {
    const { id } = await create();
    await Service.started({ ...variables, OPEN_SECONDS: "1" });
    for (let tries = 0; tries < 100; tries++) {
      if ((await (await get(`/${id}`)).json()).status === "expired") {
        return;
      }
      await setTimeout(100);
    }
    assert.fail("the order is still open");
  });
});
