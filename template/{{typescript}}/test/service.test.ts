/** What platform and operators rely on: errors, OpenAPI, logs, metrics, configuration, stopping. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { request } from "node:http";
import { before, describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { PATH } from "../src/items.ts";
import { environment, skip } from "./environment.ts";
import { Running, Service } from "./running.ts";

const PROBLEM = "application/problem+json";

describe("service", { skip }, () => {
  let service: Service;
  before(async () => {
    service = await Service.started(environment);
  });

  const asked = [
    ["HEAD", PATH, 200],
    ["OPTIONS", PATH, 204],
    ["PUT", PATH, 405],
    ["PROPFIND", PATH, 405],
    ["GET", "/nowhere", 404],
    ["GET", `${PATH}/`, 404],
    ["GET", "/%ff", 404],
    ["GET", "/livez", 200],
    ["GET", "/metrics", 200],
  ] as const;
  for (const [method, path, status] of asked) {
    test(`${method} ${path} is ${status}`, async () => {
      const answer = await service.ask(method, path);
      assert.equal(answer.status, status);
      const kind = answer.headers.get("Content-Type") ?? "";
      assert.equal(kind.startsWith(PROBLEM), status >= 400);
      if (status === 204 || status === 405) {
        assert.equal(answer.headers.get("Allow"), "GET, HEAD, OPTIONS, POST");
      }
    });
  }

  test("openapi.json is what the service answers", async () => {
    const written = await readFile(new URL("../openapi.json", import.meta.url), "utf8");
    const served = await (await service.ask("GET", "/openapi.json")).json();
    assert.deepEqual(served, JSON.parse(written), "run: make generate");
  });

  test("a request leaves one line in its trace", async () => {
    const trace = "0af7651916cd43dd8448eb211c80319c";
    const headers = { traceparent: `00-${trace}-b7ad6b7169203331-01` };
    await service.ask("GET", PATH, { headers });
    await service.ask("GET", "/livez");
    await setTimeout(100);
    const lines = service.lines.filter((line) => line.trace_id === trace);
    assert.equal(lines.length, 1);
    assert.partialDeepStrictEqual(lines[0], { msg: "request", http_route: PATH, level: "info" });
    assert.ok(!service.lines.some((line) => line.url_path === "/livez"));
  });

  test("unknown paths share one series, and so do unknown methods", async () => {
    await service.ask("GET", "/one");
    await service.ask("PROPFIND", "/two");
    const metrics = await (await service.ask("GET", "/metrics")).text();
    const series = 'http_request_method="_OTHER",http_route="",http_response_status_code="404"';
    assert.ok(metrics.includes(series));
    assert.ok(!metrics.includes("/one"));
  });

  for (const [name, value] of Object.entries({ PORT: "70000", LOG_LEVEL: "loud" })) {
    test(`${name}=${value} ends the start with one line`, async () => {
      const running = new Running({ ...environment, [name]: value });
      assert.equal(await running.ended(), 1);
      assert.equal(running.lines.length, 1);
      assert.match(String(running.lines[0]?.msg), new RegExp(`^${name}`));
    });
  }

  test("stopping answers on and then ends well", async () => {
    const leaving = await Service.started({ ...environment, DRAIN_SECONDS: "1" });
    leaving.process.kill("SIGTERM");
    await setTimeout(300);
    assert.equal((await leaving.ask("GET", "/readyz")).status, 503);
    assert.equal((await leaving.ask("GET", PATH)).status, 200);
    assert.equal(await leaving.ended(), 0);
  });

  test("a request in flight is finished, and its connection delays nothing", async () => {
    const leaving = await Service.started({ ...environment, DRAIN_SECONDS: "0" });
    const headers = { "Content-Type": "application/json", Connection: "keep-alive" };
    const sent = request(leaving.url + PATH, { method: "POST", headers });
    const answer = new Promise<number | undefined>((resolve, reject) => {
      sent.on("error", reject).on("response", (response) => {
        response.resume();
        resolve(response.statusCode);
      });
    });
    sent.write('{"name": ');
    await setTimeout(200);
    leaving.process.kill("SIGTERM");
    await setTimeout(200);
    sent.end('"late"}');
    assert.equal(await answer, 201);
    assert.equal(await leaving.ended(), 0);
  });
});
