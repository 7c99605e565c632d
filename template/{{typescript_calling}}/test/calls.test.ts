/** Calls to other services: requests, retries, deadlines, limits, and the errors of failures. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { type Dispatcher, errors, MockAgent } from "undici";
import { Callee, CalleeError, type CallOptions, readIdentity } from "../src/calls.ts";
import { observe, setLogLevel, startTracing, TIMEOUT_HEADER } from "../src/telemetry.ts";

const SUMMARY = { service: "other", items: 1, calls: {} };
const isSummary = (_: unknown): _ is typeof SUMMARY => true;
const isAnything = (_: unknown): _ is unknown => true;

type Outcome = number | Error;

/** Call a service that responds with each status, or fails with each error, in order. */
async function call(outcomes: Outcome[], method: Dispatcher.HttpMethod = "GET") {
  const agent = new MockAgent();
  agent.disableNetConnect();
  const received: unknown[] = [];
  for (const outcome of outcomes) {
    const interceptor = agent.get("http://other:8080").intercept({ path: "/v1/other", method });
    if (outcome instanceof Error) {
      interceptor.replyWithError(outcome);
    } else {
      interceptor.reply(({ headers }) => {
        received.push(headers);
        return { statusCode: outcome, data: JSON.stringify(SUMMARY) };
      });
    }
  }
  const other = new Callee("other", "http://other:8080", { dispatcher: agent });
  const headers = readIdentity({ "x-auth-subject": "ann", cookie: "a=b" });
  const sent = other.request(method, "/v1/other", isSummary, { headers });
  const [result] = await Promise.allSettled([sent]);
  const error: CalleeError | undefined = result.status === "rejected" ? result.reason : undefined;
  return { error, received, pending: agent.pendingInterceptors().length };
}

for (const first of [503, new errors.ConnectTimeoutError(), new errors.SocketError()]) {
  test(`a GET is retried once after ${first}`, async () => {
    const { error, pending } = await call([first, 200]);
    assert.equal(error, undefined);
    assert.equal(pending, 0);
  });
}

for (const first of [503, new errors.SocketError()]) {
  test(`a POST is not retried after ${first}`, async () => {
    const { error, pending } = await call([first, 200], "POST");
    assert.equal(error?.status, 502);
    assert.equal(pending, 1);
  });
}

const failures: [Outcome[], number, number | undefined][] = [
  [[404], 502, 404],
  [[503, 503], 502, 503],
  [[new errors.ConnectTimeoutError(), new errors.ConnectTimeoutError()], 502, undefined],
  [[new DOMException("", "TimeoutError")], 504, undefined],
];
for (const [outcomes, status, calleeStatus] of failures) {
  test(`${outcomes.join(" and ")} is ${status}`, async () => {
    const { error } = await call(outcomes);
    assert.ok(error instanceof CalleeError);
    assert.equal(error.status, status);
    assert.equal(error.response?.status, calleeStatus);
    assert.equal(error.callee, "other");
    assert.match(error.message, /^other /);
  });
}

test("the identity headers are propagated", async () => {
  const { received } = await call([200]);
  assert.partialDeepStrictEqual(received[0], { "x-auth-subject": "ann" });
  assert.ok(!Object.hasOwn(received[0] as object, "cookie"));
});

/** Serve on a free port until the tests end, and return the URL. */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Call a service that responds with the request. */
async function echo(path: string, options: CallOptions, method: Dispatcher.HttpMethod = "GET") {
  const url = await serve(async (request, response) => {
    const chunks = await request.toArray();
    const body = Buffer.concat(chunks).toString();
    response.end(JSON.stringify({ url: request.url, headers: request.headers, body }));
  });
  const isEcho = (_: unknown): _ is { url: string; headers: object; body: string } => true;
  return await new Callee("other", url).request(method, path, isEcho, options);
}

/** Call a service and return the error. */
async function fail(listener: RequestListener, options: CallOptions = {}): Promise<CalleeError> {
  const other = new Callee("other", await serve(listener));
  const [result] = await Promise.allSettled([other.request("GET", "/", isAnything, options)]);
  assert.ok(result.status === "rejected" && result.reason instanceof CalleeError);
  return result.reason;
}

test("path and query are encoded", async () => {
  const options = { params: { id: "a/b?c" }, query: { q: "x & y", page: 2, none: undefined } };
  const { url } = await echo("/v1/products/{id}", options);
  assert.equal(url, "/v1/products/a%2Fb%3Fc?q=x+%26+y&page=2");
});

for (const id of ["", ".", ".."]) {
  test(`"${id}" cannot lead to another path`, async () => {
    await assert.rejects(echo("/v1/products/{id}", { params: { id } }), { status: 422 });
  });
}

for (const method of ["POST", "PUT", "PATCH", "DELETE"] as const) {
  test(`a body is sent with ${method}`, async () => {
    const { body, headers } = await echo("/", { body: { name: "ä" } }, method);
    assert.deepEqual(JSON.parse(body), { name: "ä" });
    assert.partialDeepStrictEqual(headers, { "content-type": "application/json" });
  });
}

test("a failed call has the problem and Retry-After", async () => {
  const problem = { title: "Not Found", status: 404, detail: "No product has this id." };
  const error = await fail((_, response) => {
    response.writeHead(404, { "Content-Type": "application/problem+json", "Retry-After": "7" });
    response.end(JSON.stringify(problem));
  });
  assert.partialDeepStrictEqual(error.response, { status: 404, problem, retryAfter: 7 });
});

test("JSON that is not UTF-8 is 502", async () => {
  const other = new Callee("other", await serve((_, response) => response.end('"\xff"', "latin1")));
  const isText = (body: unknown): body is string => typeof body === "string";
  await assert.rejects(other.request("GET", "/", isText), { status: 502 });
});

test("a response above the limit is 502", async () => {
  const listener: RequestListener = (_, response) => response.end(JSON.stringify("x".repeat(2000)));
  const error = await fail(listener, { maxBytes: 1000 });
  assert.equal(error.status, 502);
  assert.match(error.message, /1000 bytes/);
  assert.equal(error.response?.status, 200);
});

test("a call ends after its timeout", async () => {
  const error = await fail(() => {}, { timeout: 100 });
  assert.equal(error.status, 504);
});

test("a call has the time that the caller of the request waits", async () => {
  setLogLevel("error");
  await startTracing(false);
  const received: number[] = [];
  const other = await serve((request, response) => {
    received.push(Number(request.headers[TIMEOUT_HEADER]));
    if (request.url === "/fast") {
      response.end("{}");
    }
  });
  const callee = new Callee("other", other, { timeout: 60_000 });
  const listener: RequestListener = async ({ url = "" }, response) => {
    await setTimeout(50);
    const sent = callee.request("GET", url, isAnything).then(() => 200);
    response.writeHead(await sent.catch((error: CalleeError) => error.status)).end();
  };
  const url = await serve(observe(listener));
  const send = async (path: string, headers: Record<string, string>) =>
    (await fetch(url + path, { headers })).status;
  assert.equal(await send("/fast", { [TIMEOUT_HEADER]: "30000" }), 200);
  assert.equal(await send("/fast", {}), 200);
  assert.equal(await send("/late", { [TIMEOUT_HEADER]: "10" }), 504);
  assert.equal(await send("/hangs", { [TIMEOUT_HEADER]: "500" }), 504);
  const [first = 0, second = 0, ...rest] = received;
  assert.ok(first < 30_000 && second > 30_000, `${received}`);
  assert.ok(rest.length <= 1, "a call that is too late is not sent");
});
