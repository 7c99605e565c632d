/** Errors, OpenAPI, logs, metrics, configuration and shutdown. */

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

  const requests = [
    ["HEAD", PATH, 200],
    ["OPTIONS", PATH, 204],
    ["PUT", PATH, 405],
    ["PROPFIND", PATH, 405],
    ["GET", "/unknown", 404],
    ["GET", `${PATH}/`, 404],
    ["GET", "/%ff", 400],
    ["GET", `${PATH}?limit=0x10`, 422],
    ["GET", `${PATH}?limit=1&limit=2`, 422],
    ["GET", "/livez", 200],
    ["GET", "/metrics", 200],
  ] as const;
  for (const [method, path, status] of requests) {
    test(`${method} ${path} is ${status}`, async () => {
      const response = await service.ask(method, path);
      assert.equal(response.status, status);
      const kind = response.headers.get("Content-Type") ?? "";
      assert.equal(kind.startsWith(PROBLEM), status >= 400);
      if (status === 204 || status === 405) {
        assert.equal(response.headers.get("Allow"), "GET, HEAD, OPTIONS, POST");
      }
    });
  }

  test("openapi.json is up to date", async () => {
    const committed = await readFile(new URL("../openapi.json", import.meta.url), "utf8");
    const served = await (await service.ask("GET", "/openapi.json")).json();
    assert.deepEqual(served, JSON.parse(committed), "run: make generate");
  });

  test("a request is logged once with its trace", async () => {
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

  test("unknown paths and methods share one time series", async () => {
    await service.ask("GET", "/one");
    await service.ask("PROPFIND", "/two");
    const metrics = await (await service.ask("GET", "/metrics")).text();
    const series = 'http_request_method="_OTHER",http_route="",http_response_status_code="404"';
    assert.ok(metrics.includes(series));
    assert.ok(!metrics.includes("/one"));
  });

  for (const [name, value] of Object.entries({ PORT: "70000", LOG_LEVEL: "loud" })) {
    test(`startup fails on ${name}=${value}`, async () => {
      const running = new Running({ ...environment, [name]: value });
      assert.equal(await running.exited(), 1);
      assert.equal(running.lines.length, 1);
      assert.match(String(running.lines[0]?.msg), new RegExp(`^${name}`));
    });
  }

  test("a stopping service drains and exits with 0", async () => {
    const stopping = await Service.started({ ...environment, DRAIN_SECONDS: "1" });
    stopping.process.kill("SIGTERM");
    await setTimeout(300);
    assert.equal((await stopping.ask("GET", "/readyz")).status, 503);
    assert.equal((await stopping.ask("GET", PATH)).status, 200);
    assert.equal(await stopping.exited(), 0);
  });

  test("a request in flight completes, and its connection does not delay the exit", async () => {
    const stopping = await Service.started({ ...environment, DRAIN_SECONDS: "0" });
    const headers = { "Content-Type": "application/json", Connection: "keep-alive" };
    const sent = request(stopping.url + PATH, { method: "POST", headers });
    const status = new Promise<number | undefined>((resolve, reject) => {
      sent.on("error", reject).on("response", (response) => {
        response.resume();
        resolve(response.statusCode);
      });
    });
    sent.write('{"name": ');
    await setTimeout(200);
    stopping.process.kill("SIGTERM");
    await setTimeout(200);
    sent.end('"late"}');
    assert.equal(await status, 201);
    assert.equal(await stopping.exited(), 0);
  });
});
