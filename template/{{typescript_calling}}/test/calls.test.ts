/** Calls to other services: propagated headers, retries, and the status of failures. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Dispatcher, errors, MockAgent } from "undici";
import { Callee } from "../src/calls.ts";
import type { Refusal } from "../src/problems.ts";

const SUMMARY = { service: "other", items: 1, calls: {} };
const isSummary = (_: unknown): _ is typeof SUMMARY => true;

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
  const other = new Callee("other", "http://other:8080", agent);
  const caller = { "x-auth-subject": "ann" };
  const [result] = await Promise.allSettled([other.call(method, "/v1/other", isSummary, caller)]);
  const error: Refusal | undefined = result.status === "rejected" ? result.reason : undefined;
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

const failures: [Outcome[], number][] = [
  [[404], 502],
  [[503, 503], 502],
  [[new errors.ConnectTimeoutError(), new errors.ConnectTimeoutError()], 502],
  [[new DOMException("", "TimeoutError")], 504],
];
for (const [outcomes, status] of failures) {
  test(`${outcomes.join(" and ")} is ${status}`, async () => {
    const { error } = await call(outcomes);
    assert.equal(error?.status, status);
    assert.match(error.message, /^other /);
  });
}

test("the identity headers are propagated", async () => {
  const { received } = await call([200]);
  assert.partialDeepStrictEqual(received[0], { "x-auth-subject": "ann" });
});
