/** The parts of this service that the server runs. Register your own here. */

import { Callee } from "./calls.ts";
import { openDatabase } from "./database.ts";
import { Line, NewOrder, NewStatus, Order, OrderList } from "./models.ts";
import { expire, orders, PATH } from "./orders.ts";
import type { OpenService } from "./server.ts";
import { Store } from "./store.ts";

export const openService: OpenService = (environment, settings) => {
  const maxLines = environment.number("MAX_LINES", 20, 1, 1000, /^\d+$/);
  const openSeconds = environment.number("OPEN_SECONDS", 86_400, 1, 1e9, /^\d+$/);
  const products = new Callee("products", settings.callees.products ?? "");
  const database = openDatabase(environment);
  const store = new Store(database);
  return {
    schemas: [Line, NewOrder, NewStatus, Order, OrderList],
    checks: { database: () => database.check() },
    routes: async (app) => {
      await app.register(orders(store, products, maxLines), { prefix: PATH });
    },
    tasks: { expire: (signal) => expire(store, openSeconds, signal) },
    close: () => database.close(),
  };
};
