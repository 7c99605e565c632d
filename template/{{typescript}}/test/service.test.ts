/** Errors, bodies, OpenAPI, logs, metrics, configuration, tasks and shutdown. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { request } from "node:http";
import { before, describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { environment, skip } from "./environment.ts";
import { freePort, Running, Service, TEST_SERVICE } from "./running.ts";

const PROBLEM = "application/problem+json";
const MIB = 1024 * 1024;

describe("this service", () => {
  test("starts and becomes ready", { skip }, async () => {
    const service = await Service.started(environment);
    assert.equal((await service.ask("GET", "/livez")).status, 200);
    assert.equal((await service.ask("GET", "/openapi.json")).status, 200);
  });

  test("has an up-to-date openapi.json", async () => {
    const committed = await readFile(new URL("../openapi.json", import.meta.url), "utf8");
    const printed = new Running({}, "openapi");
    assert.equal(await printed.exited(), 0);
    assert.deepEqual(JSON.parse(printed.log), JSON.parse(committed), "run: make generate");
  });
});

describe("the server", () => {
  let service: Service;
  before(async () => {
    service = await Service.started({}, TEST_SERVICE);
  });

  const requests = [
    ["HEAD", "/notes", 200],
    ["OPTIONS", "/notes", 204],
    ["PUT", "/notes", 405],
    ["PROPFIND", "/notes", 405],
    ["GET", "/unknown", 404],
    ["GET", "/notes/", 404],
    ["GET", "/%ff", 400],
    ["GET", "/notes?limit=0x10", 422],
    ["GET", "/notes?limit=1&limit=2", 422],
    ["GET", "/livez", 200],
    ["GET", "/metrics", 200],
    ["GET", "/openapi.json", 200],
  ] as const;
  for (const [method, path, status] of requests) {
    test(`responds to ${method} ${path} with ${status}`, async () => {
      const response = await service.ask(method, path);
      assert.equal(response.status, status);
      const kind = response.headers.get("Content-Type") ?? "";
      assert.equal(kind.startsWith(PROBLEM), status >= 400);
      if (status === 204 || status === 405) {
        assert.equal(response.headers.get("Allow"), "GET, HEAD, OPTIONS, POST");
      }
    });
  }

  const bodies = [
    ["/notes", '{"text": "', 400],
    ["/notes", '{"text": "\\ud800"}', 400],
    ["/notes", "{}", 422],
    ["/notes", JSON.stringify({ text: "x".repeat(MIB) }), 413],
    ["/files", JSON.stringify("x".repeat(MIB)), 200],
    ["/files", JSON.stringify("x".repeat(2 * MIB)), 413],
  ] as const;
  for (const [path, body, status] of bodies) {
    test(`responds to ${path} with ${status} for ${body.length} bytes`, async () => {
      assert.equal((await service.send(path, body)).status, status);
    });
  }

  test("accepts another media type where a route has its parser", async () => {
    const csv = await service.send("/files", "a,b", "text/csv");
    assert.deepEqual(await csv.json(), { length: 3 });
    const xml = await service.send("/files", "<a/>", "text/xml");
    assert.equal(xml.status, 415);
  });

  test("sends only the members of the response's schema", async () => {
    const response = await service.send("/notes", '{"text": "a"}');
    assert.equal(response.status, 201);
    assert.deepEqual(await response.json(), { text: "a" });
  });

  test("logs a request once with its trace", async () => {
    const trace = "0af7651916cd43dd8448eb211c80319c";
    const headers = { traceparent: `00-${trace}-b7ad6b7169203331-01` };
    await service.ask("GET", "/notes", { headers });
    await service.ask("GET", "/livez");
    await setTimeout(100);
    const lines = service.lines.filter((line) => line.trace_id === trace);
    assert.equal(lines.length, 1);
    assert.partialDeepStrictEqual(lines[0], {
      msg: "request",
      http_route: "/notes",
      level: "info",
    });
    assert.ok(!service.lines.some((line) => line.url_path === "/livez"));
  });

  test("has one time series for unknown paths and methods", async () => {
    await service.ask("GET", "/one");
    await service.ask("PROPFIND", "/two");
    const metrics = await (await service.ask("GET", "/metrics")).text();
    const series = 'http_request_method="_OTHER",http_route="",http_response_status_code="404"';
    assert.ok(metrics.includes(series));
    assert.ok(!metrics.includes("/one"));
  });
});

describe("a process", () => {
  for (const [name, value] of Object.entries({ PORT: "70000", LOG_LEVEL: "loud", PAUSE: "-1" })) {
    test(`fails to start on ${name}=${value}`, async () => {
      const running = new Running({ [name]: value }, TEST_SERVICE);
      assert.equal(await running.exited(), 1);
      assert.equal(running.lines.length, 1);
      assert.match(String(running.lines[0]?.msg), new RegExp(`^${name}`));
    });
  }

  test("drains, ends its tasks, closes what it opened and exits with 0", async () => {
    const variables = { DRAIN_SECONDS: "1", PAUSE: "1" };
    const stopping = await Service.started(variables, TEST_SERVICE);
    stopping.process.kill("SIGTERM");
    await setTimeout(300);
    assert.equal((await stopping.ask("GET", "/readyz")).status, 503);
    assert.equal((await stopping.ask("GET", "/notes")).status, 200);
    assert.ok(!stopping.log.includes("the sweep ends"));
    assert.equal(await stopping.exited(), 0);
    const messages = stopping.lines.map((line) => line.msg);
    assert.deepEqual(messages.slice(-2), ["the sweep ends", "closed"]);
  });

  test("exits with 1 and a log line when a task fails", async () => {
    const variables = { PORT: String(await freePort()), TASK: "fails" };
    const running = new Running(variables, TEST_SERVICE);
    assert.equal(await running.exited(), 1);
    const failed = running.lines.filter((line) => line.level === "error");
    assert.partialDeepStrictEqual(failed, [{ msg: "the task sweep failed" }]);
  });

  test("runs a job once, closes what was opened and exits with 0", async () => {
    const running = new Running({}, TEST_SERVICE, "report");
    assert.equal(await running.exited(), 0);
    const messages = running.lines.map((line) => line.msg);
    assert.deepEqual(messages, ["printed", "closed"]);
  });

  test("exits with 1 and a log line when a job fails, here by SIGTERM", async () => {
    const running = new Running({}, TEST_SERVICE, "wait");
    running.process.stdout?.once("data", () => running.process.kill("SIGTERM"));
    assert.equal(await running.exited(), 1);
    const messages = running.lines.map((line) => line.msg);
    assert.deepEqual(messages, ["waiting", "the job wait failed", "closed"]);
  });

  test("exits with 1 and the names of the jobs for an unknown command", async () => {
    const running = new Running({}, TEST_SERVICE, "print");
    assert.equal(await running.exited(), 1);
    const messages = running.lines.map((line) => line.msg);
    assert.deepEqual(messages, [
      "unknown command print: use migrate, openapi, report, wait, or no argument to serve",
    ]);
  });

  test("completes a request in flight, and its connection does not delay the exit", async () => {
    const stopping = await Service.started({ DRAIN_SECONDS: "0" }, TEST_SERVICE);
    const headers = { "Content-Type": "application/json", Connection: "keep-alive" };
    const sent = request(`${stopping.url}/notes`, { method: "POST", headers });
    const status = new Promise<number | undefined>((resolve, reject) => {
      sent.on("error", reject).on("response", (response) => {
        response.resume();
        resolve(response.statusCode);
      });
    });
    sent.write('{"text": ');
    await setTimeout(200);
    stopping.process.kill("SIGTERM");
    await setTimeout(200);
    sent.end('"late"}');
    assert.equal(await status, 201);
    assert.equal(await stopping.exited(), 0);
  });
});
