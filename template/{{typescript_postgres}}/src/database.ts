/** The connections to PostgreSQL. */

import pg from "pg";
import type { Environment } from "./config.ts";
import { Refusal } from "./problems.ts";

/** PostgreSQL error codes for connection failures, insufficient resources and shutdown. */
const UNAVAILABLE = /^(08|53|57P)/;

/** Runs a query and returns its rows. */
export type Query = <R extends pg.QueryResultRow>(text: string, values?: unknown[]) => Promise<R[]>;

/** A pool of connections. It connects on the first query. */
export class Database {
  readonly #pool: pg.Pool;

  constructor(connectionString: string) {
    this.#pool = new pg.Pool({
      connectionString,
      max: 10,
      connectionTimeoutMillis: 2000, // also the time to wait for a free connection
      query_timeout: 2500,
      keepAlive: true,
    });
    this.#pool.on("error", () => {}); // an idle connection was lost; the next query reconnects
  }

  /** Run a query and return its rows. An unreachable database throws 503 within the timeout. */
  readonly query: Query = async (text, values = []) => {
    return await reach(async () => (await this.#pool.query(text, values)).rows);
  };

  /** Run queries in one transaction. An error rolls it back. */
  async transaction<T>(work: (query: Query) => Promise<T>): Promise<T> {
    const client = await reach(() => this.#pool.connect());
    const query: Query = async (text, values = []) => {
      return await reach(async () => (await client.query(text, values)).rows);
    };
    let failed = true;
    try {
      await query("begin");
      const result = await work(query);
      await query("commit");
      failed = false;
      return result;
    } finally {
      client.release(failed); // a closed connection rolls its transaction back
    }
  }

  /** The readiness check. It throws PostgreSQL's own error, for the log. */
  async check(): Promise<void> {
    await this.#pool.query("select 1");
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}

/** Use the database. If it cannot be reached, throw 503. */
async function reach<T>(use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (error) {
    if (error instanceof pg.DatabaseError && !UNAVAILABLE.test(error.code ?? "")) {
      throw error;
    }
    throw new Refusal(503, "The database is unreachable.");
  }
}

/** Read DATABASE_URL, for example postgresql://user:password@host:port/database. */
export function readDatabase(environment: Environment): string {
  return environment.url("DATABASE_URL", ["postgresql:", "postgres:"]);
}

export function openDatabase(environment: Environment): Database {
  return new Database(readDatabase(environment));
}
