/** /livez, /readyz and /metrics, for operators. */

import { setImmediate, setTimeout } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import { register } from "prom-client";
import { Refusal } from "./problems.ts";
import { log } from "./telemetry.ts";

/** Whether the service accepts requests: it is not stopping and every check passes. */
export class Readiness {
  stopping = false;
  readonly #failing = new Set<string>();

  /** Why the service is not ready; empty if it is ready. */
  get reason(): string {
    if (this.stopping) {
      return "The service is stopping.";
    }
    return this.#failing.size > 0 ? `Unreachable: ${[...this.#failing].sort().join(", ")}.` : "";
  }

  /** Run a check every second until the service stops. Log a warning every 5 s while it fails. */
  async watch(name: string, check: () => Promise<unknown>): Promise<void> {
    this.#failing.add(name);
    let warned = Number.NEGATIVE_INFINITY;
    while (!this.stopping) {
      try {
        await check();
        this.#failing.delete(name);
      } catch (error) {
        this.#failing.add(name);
        if (!this.stopping && performance.now() - warned >= 5000) {
          log.warn(`${name} is unreachable: ${error instanceof Error ? error.message : error}`);
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
    await setImmediate(); // Node handles queued requests before a signal received earlier
    if (readiness.reason) {
      throw new Refusal(503, readiness.reason);
    }
    return "ready";
  });
  app.get("/metrics", { schema }, (_, reply) => {
    reply.type(register.contentType);
    return register.metrics();
  });
}
