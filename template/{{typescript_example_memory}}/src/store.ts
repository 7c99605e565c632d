/** Stores items in memory: they are lost on exit and not shared between replicas. */

import { randomUUID } from "node:crypto";
import type { Environment } from "./config.ts";
import type { Item } from "./models.ts";

/** Items, oldest first. */
export class Store {
  /** The readiness checks; memory needs none. */
  readonly checks: Record<string, () => Promise<unknown>> = {};
  readonly #items: Item[] = [];
  readonly #index = new Map<string, number>();

  async add(name: string): Promise<Item> {
    const item = { name, id: randomUUID(), created_at: new Date().toISOString() };
    this.#index.set(item.id, this.#items.length);
    this.#items.push(item);
    return item;
  }

  async get(id: string): Promise<Item | undefined> {
    const position = this.#index.get(id.toLowerCase());
    return position === undefined ? undefined : this.#items[position];
  }

  /** Return the items after the given ID; undefined if that ID is unknown. */
  async page(limit: number, after?: string): Promise<Item[] | undefined> {
    const last = after === undefined ? -1 : this.#index.get(after.toLowerCase());
    return last === undefined ? undefined : this.#items.slice(last + 1, last + 1 + limit);
  }

  async count(): Promise<number> {
    return this.#items.length;
  }
}

/** Return an empty store, which has no settings. */
export function openStore(_: Environment): Store {
  return new Store();
}
