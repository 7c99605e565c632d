/** The task: it works every INTERVAL_SECONDS, and ends with the service. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { environment, skip } from "./environment.ts";
import { Service } from "./running.ts";

test("it works until the service stops", { skip }, async () => {
  const variables = { ...environment, INTERVAL_SECONDS: "1", DRAIN_SECONDS: "0" };
  const worker = await Service.started(variables);
  for (let tries = 0; tries < 200 && (await runs(worker)) < 2; tries++) {
    await setTimeout(50);
  }
  worker.process.kill("SIGTERM");
  assert.equal(await worker.exited(), 0);
  const done = worker.lines.filter((line) => line.msg === "run").map((line) => line.done);
  assert.deepEqual(done.slice(0, 2), [0, 0]);
});

async function runs(service: Service): Promise<number> {
  const series = await (await service.ask("GET", "/metrics")).text();
  return Number(/^worker_runs_total (\S+)/m.exec(series)?.[1] ?? 0);
}
