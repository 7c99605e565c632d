/** The parts of this service that the server runs. Register your own here. */

import { openDatabase } from "./database.ts";
import type { OpenService } from "./server.ts";

export const openService: OpenService = (environment) => {
  const database = openDatabase(environment);
  return {
    checks: { database: () => database.check() },
    routes: async () => {},
    close: () => database.close(),
  };
};
