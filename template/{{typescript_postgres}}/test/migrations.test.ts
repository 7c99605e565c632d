/** The migrations are safe to run concurrently. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { environment, skip } from "./environment.ts";
import { Running } from "./running.ts";

test("concurrent migrations succeed", { skip }, async () => {
  const processes = [new Running(environment, ["migrate"]), new Running(environment, ["migrate"])];
  const codes = await Promise.all(processes.map((process) => process.exited()));
  assert.deepEqual(codes, [0, 0]);
});
