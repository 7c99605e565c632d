/** Where items are kept: one table in PostgreSQL, made by the migrations. */

import { randomUUID } from "node:crypto";
import pg from "pg";
import type { Environment } from "./config.ts";
import type { Item } from "./models.ts";
import { Refusal } from "./problems.ts";

/** What PostgreSQL says when it cannot serve: connection lost, too many, shutting down. */
const AWAY = /^(08|53|57P)/;

const COLUMNS = "id, name, created_at"; // what an item has: a new column is not yet its member

type Row = Omit<Item, "created_at"> & { created_at: Date };

/** Items, oldest first. */
export class Store {
  /** What must be well for the service to be ready. */
  readonly checks: Record<string, () => Promise<unknown>>;
  readonly #pool: pg.Pool;

  constructor(pool: pg.Pool) {
    this.checks = { database: () => pool.query("select 1") };
    this.#pool = pool;
    pool.on("error", () => {}); // an idle connection is lost: the next query makes another one
  }

  async add(name: string): Promise<Item> {
    const insert = `insert into items (id, name) values ($1, $2) returning ${COLUMNS}`;
    const [item] = await this.#items(insert, [randomUUID(), name]);
    if (!item) {
      throw new Error("nothing was inserted");
    }
    return item;
  }

  async get(id: string): Promise<Item | undefined> {
    const [item] = await this.#items(`select ${COLUMNS} from items where id = $1`, [id]);
    return item;
  }

  /** The items that follow one; nothing when that one is unknown. */
  async page(limit: number, after?: string): Promise<Item[] | undefined> {
    if (after === undefined) {
      const begin = `select ${COLUMNS} from items order by created_at, id limit $1`;
      return await this.#items(begin, [limit]);
    }
    if (!(await this.get(after))) {
      return undefined;
    }
    const follow = `select ${COLUMNS} from items
      where (created_at, id) > (select created_at, id from items where id = $2)
      order by created_at, id limit $1`;
    return await this.#items(follow, [limit, after]);
  }

  async count(): Promise<number> {
    const [row] = await this.#query<{ count: string }>("select count(*) from items", []);
    return Number(row?.count);
  }

  async #items(text: string, values: unknown[]): Promise<Item[]> {
    const rows = await this.#query<Row>(text, values);
    return rows.map((row) => ({ ...row, created_at: row.created_at.toISOString() }));
  }

  /** A database that does not answer is 503, in time. */
  async #query<R extends pg.QueryResultRow>(text: string, values: unknown[]): Promise<R[]> {
    try {
      return (await this.#pool.query<R>(text, values)).rows;
    } catch (error) {
      if (error instanceof pg.DatabaseError && !AWAY.test(error.code ?? "")) {
        throw error;
      }
      throw new Refusal(503, "The database is not reached.");
    }
  }
}

/** DATABASE_URL is postgresql://user:password@host:port/database. */
export function readDatabase(environment: Environment): string {
  return environment.url("DATABASE_URL", ["postgresql:", "postgres:"]);
}

/** Nothing is connected before the first query. */
export function openStore(environment: Environment): Store {
  const pool = new pg.Pool({
    connectionString: readDatabase(environment),
    max: 10,
    connectionTimeoutMillis: 2000, // also for a free one of these ten
    query_timeout: 2500,
    keepAlive: true,
  });
  return new Store(pool);
}
