/** The example of a background task: it works every INTERVAL_SECONDS. Replace `work`. */

import { setTimeout } from "node:timers/promises";
import { Counter } from "prom-client";
import { log } from "./telemetry.ts";

const RUNS = new Counter({ name: "worker_runs_total", help: "Runs that have succeeded." });

/** Do what is due, and return how much that was. */
async function work(): Promise<number> {
  return 0;
}

/** Work until the service stops. An error ends the service: the platform starts it again. */
export async function repeat(interval: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const start = performance.now();
    const done = await work();
    RUNS.inc();
    log.info({ done, duration_seconds: (performance.now() - start) / 1000 }, "run");
    await setTimeout(interval * 1000, undefined, { signal });
  }
}
