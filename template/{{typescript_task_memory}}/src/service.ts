/** The parts of this service that the server runs. Register your own here. */

import type { OpenService } from "./server.ts";
import { repeat } from "./worker.ts";

export const openService: OpenService = (environment) => {
  const interval = environment.number("INTERVAL_SECONDS", 60, 1, 86_400, /^\d+$/);
  return {
    routes: async () => {},
    tasks: { worker: (signal) => repeat(interval, signal) },
  };
};
