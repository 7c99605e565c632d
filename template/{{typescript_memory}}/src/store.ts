/** Where items are kept: in memory, so they are gone with the process and no replica shares them. */

import { randomUUID } from "node:crypto";
import type { Environment } from "./config.ts";
import type { Item } from "./models.ts";

/** Items, oldest first. */
export class Store {
  /** What must be well for the service to be ready: memory is always there. */
  readonly checks: Record<string, () => Promise<unknown>> = {};
  readonly #items: Item[] = [];
  readonly #places = new Map<string, number>();

  async add(name: string): Promise<Item> {
    const item = { name, id: randomUUID(), created_at: new Date().toISOString() };
    this.#places.set(item.id, this.#items.length);
    this.#items.push(item);
    return item;
  }

  async get(id: string): Promise<Item | undefined> {
    const place = this.#places.get(id.toLowerCase());
    return place === undefined ? undefined : this.#items[place];
  }

  /** The items that follow one; nothing when that one is unknown. */
  async page(limit: number, after?: string): Promise<Item[] | undefined> {
    const place = after === undefined ? -1 : this.#places.get(after.toLowerCase());
    return place === undefined ? undefined : this.#items.slice(place + 1, place + 1 + limit);
  }

  async count(): Promise<number> {
    return this.#items.length;
  }
}

/** Memory needs no settings. */
export function openStore(_: Environment): Store {
  return new Store();
}
