/** The parts of this service that the server runs. Register your own here. */

import { openCallees } from "./calls.ts";
import { items, PATH } from "./items.ts";
import { Item, ItemPage, NewItem, Summary } from "./models.ts";
import type { OpenService } from "./server.ts";
import { openStore } from "./store.ts";

export const openService: OpenService = (environment, settings) => {
  const store = openStore(environment);
  const callees = openCallees(settings);
  return {
    schemas: [Item, ItemPage, NewItem, Summary],
    checks: store.checks,
    routes: async (app) => {
      await app.register(items(store, callees), { prefix: PATH });
    },
  };
};
