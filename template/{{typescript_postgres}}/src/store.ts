/** Stores items in one PostgreSQL table, which the migrations create. */

import { randomUUID } from "node:crypto";
import pg from "pg";
import type { Environment } from "./config.ts";
import type { Item } from "./models.ts";
import { Refusal } from "./problems.ts";

/** PostgreSQL error codes for connection failures, insufficient resources and shutdown. */
const UNAVAILABLE = /^(08|53|57P)/;

const COLUMNS = "id, name, created_at"; // not *: a new column is not a member of an item

type Row = Omit<Item, "created_at"> & { created_at: Date };

/** Items, oldest first. */
export class Store {
  /** The readiness checks. */
  readonly checks: Record<string, () => Promise<unknown>>;
  readonly #pool: pg.Pool;

  constructor(pool: pg.Pool) {
    this.checks = { database: () => pool.query("select 1") };
    this.#pool = pool;
    pool.on("error", () => {}); // an idle connection was lost; the next query reconnects
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
    const [row] = await this.#query<{ count: string }>("select count(*) from items", []);
    return Number(row?.count);
  }

  async #items(text: string, values: unknown[]): Promise<Item[]> {
    const rows = await this.#query<Row>(text, values);
    return rows.map((row) => ({ ...row, created_at: row.created_at.toISOString() }));
  }

  /** Run a query. An unreachable database throws 503 within the timeout. */
  async #query<R extends pg.QueryResultRow>(text: string, values: unknown[]): Promise<R[]> {
    try {
      return (await this.#pool.query<R>(text, values)).rows;
    } catch (error) {
      if (error instanceof pg.DatabaseError && !UNAVAILABLE.test(error.code ?? "")) {
        throw error;
      }
      throw new Refusal(503, "The database is unreachable.");
    }
  }
}

/** Read DATABASE_URL, for example postgresql://user:password@host:port/database. */
export function readDatabase(environment: Environment): string {
  return environment.url("DATABASE_URL", ["postgresql:", "postgres:"]);
}

/** Create the store. It connects on the first query. */
export function openStore(environment: Environment): Store {
  const pool = new pg.Pool({
    connectionString: readDatabase(environment),
    max: 10,
    connectionTimeoutMillis: 2000, // also the time to wait for a free connection
    query_timeout: 2500,
    keepAlive: true,
  });
  return new Store(pool);
}
