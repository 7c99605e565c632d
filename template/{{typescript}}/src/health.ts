/** /livez, /readyz and /metrics, for those who run the service. */

import { setImmediate, setTimeout } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import { register } from "prom-client";
import { Refusal } from "./problems.ts";
import { log } from "./telemetry.ts";

/** Whether the service should get requests: it is not stopping, and every check is well. */
export class Readiness {
  stopping = false;
  readonly #failing = new Set<string>();

  /** Why the service is not ready; empty when it is. */
  get complaint(): string {
    if (this.stopping) {
      return "The service is stopping.";
    }
    return this.#failing.size > 0 ? `Not reached: ${[...this.#failing].sort().join(", ")}.` : "";
  }

  /** Run one check every second; warn every 5 s while it fails. */
  async watch(name: string, check: () => Promise<unknown>): Promise<never> {
    this.#failing.add(name);
    let warned = Number.NEGATIVE_INFINITY;
    while (true) {
      try {
        await check();
        this.#failing.delete(name);
      } catch (error) {
        this.#failing.add(name);
        if (performance.now() - warned >= 5000) {
          log.warn(`${name} is not reached: ${error instanceof Error ? error.message : error}`);
          warned = performance.now();
        }
      }
      await setTimeout(1000);
    }
  }
}

export function addHealth(app: FastifyInstance, readiness: Readiness): void {
  const schema = { hide: true };
  app.get("/livez", { schema }, () => "alive");
  app.get("/readyz", { schema }, async () => {
    await setImmediate(); // Node reads requests before the signal that came just ahead of them
    if (readiness.complaint) {
      throw new Refusal(503, readiness.complaint);
    }
    return "ready";
  });
  app.get("/metrics", { schema }, (_, reply) => {
    reply.type(register.contentType);
    return register.metrics();
  });
}
