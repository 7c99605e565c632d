/** The migrations: repeatable, and safe when two replicas start them at once. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { environment, skip } from "./environment.ts";
import { Running } from "./running.ts";

test("two migrations at once wait for each other", { skip }, async () => {
  const both = [new Running(environment, "migrate"), new Running(environment, "migrate")];
  const codes = await Promise.all(both.map((one) => one.ended()));
  assert.deepEqual(codes, [0, 0]);
});
