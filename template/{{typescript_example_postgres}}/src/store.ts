/** Stores items in one PostgreSQL table, which the migrations create. */

import { randomUUID } from "node:crypto";
import type { Environment } from "./config.ts";
import { type Database, openDatabase } from "./database.ts";
import type { Item } from "./models.ts";

const COLUMNS = "id, name, created_at"; // not *: a new column is not a member of an item

type Row = Omit<Item, "created_at"> & { created_at: Date };

/** Items, oldest first. */
export class Store {
  /** The readiness checks. */
  readonly checks: Record<string, () => Promise<unknown>>;
  readonly #database: Database;

  constructor(database: Database) {
    this.checks = { database: () => database.check() };
    this.#database = database;
  }

  async add(name: string): Promise<Item> {
    const insert = `insert into items (id, name) values ($1, $2) returning ${COLUMNS}`;
    const [item] = await this.#items(insert, [randomUUID(), name]);
    if (!item) {
      throw new Error("the insert returned no row");
    }
    return item;
  }

  async get(id: string): Promise<Item | undefined> {
    const [item] = await this.#items(`select ${COLUMNS} from items where id = $1`, [id]);
    return item;
  }

  /** Return the items after the given ID; undefined if that ID is unknown. */
  async page(limit: number, after?: string): Promise<Item[] | undefined> {
    if (after === undefined) {
      const first = `select ${COLUMNS} from items order by created_at, id limit $1`;
      return await this.#items(first, [limit]);
    }
    if (!(await this.get(after))) {
      return undefined;
    }
    const next = `select ${COLUMNS} from items
      where (created_at, id) > (select created_at, id from items where id = $2)
      order by created_at, id limit $1`;
    return await this.#items(next, [limit, after]);
  }

  async count(): Promise<number> {
    const [row] = await this.#database.query<{ count: string }>("select count(*) from items");
    return Number(row?.count);
  }

  async #items(text: string, values: unknown[]): Promise<Item[]> {
    const rows = await this.#database.query<Row>(text, values);
    return rows.map((row) => ({ ...row, created_at: row.created_at.toISOString() }));
  }
}

/** Create the store. It connects on the first query. */
export function openStore(environment: Environment): Store {
  return new Store(openDatabase(environment));
}
