/** Calls to other services: what goes along, what is repeated, and what a failure becomes. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Dispatcher, errors, MockAgent } from "undici";
import { Callee } from "../src/calls.ts";
import type { Refusal } from "../src/problems.ts";

const SUMMARY = { service: "other", items: 1, calls: {} };
const anything = (_: unknown): _ is typeof SUMMARY => true;

type Outcome = number | Error;

/** Call a service that answers with each status, or fails with each error, in turn. */
async function call(outcomes: Outcome[], method: Dispatcher.HttpMethod = "GET") {
  const agent = new MockAgent();
  agent.disableNetConnect();
  const seen: unknown[] = [];
  for (const outcome of outcomes) {
    const next = agent.get("http://other:8080").intercept({ path: "/v1/other", method });
    if (outcome instanceof Error) {
      next.replyWithError(outcome);
    } else {
      next.reply(({ headers }) => {
        seen.push(headers);
        return { statusCode: outcome, data: JSON.stringify(SUMMARY) };
      });
    }
  }
  const other = new Callee("other", "http://other:8080", agent);
  const caller = { "x-auth-subject": "ann" };
  const [result] = await Promise.allSettled([other.call(method, "/v1/other", anything, caller)]);
  const refusal: Refusal | undefined = result.status === "rejected" ? result.reason : undefined;
  return { refusal, seen, left: agent.pendingInterceptors().length };
}

for (const first of [503, new errors.ConnectTimeoutError(), new errors.SocketError()]) {
  test(`a GET is tried twice after ${first}`, async () => {
    const { refusal, left } = await call([first, 200]);
    assert.equal(refusal, undefined);
    assert.equal(left, 0);
  });
}

for (const first of [503, new errors.SocketError()]) {
  test(`a POST is never repeated after ${first}`, async () => {
    const { refusal, left } = await call([first, 200], "POST");
    assert.equal(refusal?.status, 502);
    assert.equal(left, 1);
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
    const { refusal } = await call(outcomes);
    assert.equal(refusal?.status, status);
    assert.match(refusal.message, /^other /);
  });
}

test("the caller goes along", async () => {
  const { seen } = await call([200]);
  assert.partialDeepStrictEqual(seen[0], { "x-auth-subject": "ann" });
});
