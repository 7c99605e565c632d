/** The example resource, tested over HTTP. */

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { before, describe, test } from "node:test";
import { PATH } from "../src/items.ts";
import { environment, skip } from "./environment.ts";
import { Service } from "./running.ts";

describe("items", { skip }, () => {
  let service: Service;
  before(async () => {
    service = await Service.started(environment);
  });

  async function create(name: string): Promise<string> {
    const response = await service.send(PATH, JSON.stringify({ name }));
    assert.equal(response.status, 201);
    return response.headers.get("Location") ?? "";
  }

  // biome-ignore lint/suspicious/noExplicitAny: the tests check the body
  const get = async (path: string): Promise<any> => (await service.ask("GET", path)).json();

  test("a created item is found", async () => {
    const item = await get(await create("Grüße 👋"));
    assert.equal(item.name, "Grüße 👋");
    assert.match(item.created_at, /Z$/);
  });

  test("an unknown id is not found", async () => {
    const response = await service.ask("GET", `${PATH}/${randomUUID()}`);
    assert.equal(response.status, 404);
  });

  test("pages contain each item once", async () => {
    const created = [];
    for (let number = 0; number < 5; number++) {
      created.push((await create(`item ${number}`)).split("/").at(-1));
    }
    const seen: string[] = [];
    let query = "";
    do {
      const page = await get(`${PATH}?limit=2${query}`);
      seen.push(...page.items.map((item: { id: string }) => item.id));
      query = page.next && `&cursor=${page.next}`;
    } while (query);
    assert.deepEqual(seen.slice(-5), created);
    assert.equal(new Set(seen).size, seen.length);
  });

  const parameters = [
    ["?limit=0", "limit"],
    ["?limit=101", "limit"],
    ["?cursor=nonsense", "cursor"],
    ["?cursor=", "cursor"],
    [`?cursor=${randomUUID()}`, "cursor"],
    ["/nonsense", "id"],
    ["/summary?depth=9", "depth"],
  ];
  for (const [query, parameter] of parameters) {
    test(`${query} is rejected with the name of the parameter`, async () => {
      const problem = await get(PATH + query);
      assert.equal(problem.status, 422);
      assert.equal(problem.errors[0].parameter, parameter);
    });
  }

  const bodies = [
    ['{"name": "', 400],
    ['{"name": "\\ud800"}', 400],
    ['{"name": ""}', 422],
    [JSON.stringify({ name: "x".repeat(201) }), 422],
    ['{"name": "\\u0000"}', 422],
    ['{"name": "x", "nmae": "y"}', 422],
    [JSON.stringify({ name: "x".repeat(1 << 20) }), 413],
  ] as const;
  for (const [body, status] of bodies) {
    test(`${body.slice(0, 30)} is ${status}`, async () => {
      const response = await service.send(PATH, body);
      assert.equal(response.status, status);
      assert.match(response.headers.get("Content-Type") ?? "", /^application\/problem\+json/);
    });
  }

  test("the summary counts items", async () => {
    await create("one more");
    const summary = await get(`${PATH}/summary?depth=0`);
    assert.ok(summary.items > 0);
    assert.ok(Object.values(summary.calls).every((called) => called === null));
  });
});
