/** Applies the database migrations, as a separate step before a new version starts. */

import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import pg from "pg";
import { ConfigurationError, Environment } from "./config.ts";
import { readDatabase } from "./database.ts";
import { log } from "./telemetry.ts";

const MIGRATIONS = new URL("migrations/", import.meta.url);
const CONNECT_TIMEOUT = 30; // seconds, for a database that starts at the same time

/** The exit code is EX_TEMPFAIL of sysexits.h; the chart's Job retries only this. */
class UnreachableError extends ConfigurationError {
  override readonly exitCode = 75;
}

/** Apply all pending migrations in name order. Concurrent runs wait for each other. */
export async function migrate(): Promise<void> {
  const environment = new Environment();
  const url = readDatabase(environment);
  environment.check();
  const client = await connect(url);
  try {
    await apply(client);
  } catch (error) {
    const reason = error instanceof Error ? error.message : error;
    throw new ConfigurationError(`the migrations failed: ${reason}`);
  }
  await client.end();
  log.info("the database is up to date");
}

async function apply(client: pg.Client): Promise<void> {
  await client.query("select pg_advisory_lock(hashtext('migrations'))");
  await client.query("create table if not exists migrations (name text primary key)");
  const { rows } = await client.query<{ name: string }>("select name from migrations");
  const applied = new Set(rows.map((row) => row.name));
  for (const name of (await readMigrations()).filter((name) => !applied.has(name))) {
    await run(client, name);
  }
}

/** Return the names of all migrations in order. The folder exists from the first migration on. */
async function readMigrations(): Promise<string[]> {
  return existsSync(MIGRATIONS) ? (await readdir(MIGRATIONS)).sort() : [];
}

/** Apply one migration in a transaction. */
async function run(client: pg.Client, name: string): Promise<void> {
  await client.query("begin");
  await client.query(await readFile(new URL(name, MIGRATIONS), "utf8"));
  await client.query("insert into migrations (name) values ($1)", [name]);
  await client.query("commit");
}

/** Connect, or throw if the database is unreachable until the timeout. */
async function connect(connectionString: string): Promise<pg.Client> {
  const deadline = performance.now() + CONNECT_TIMEOUT * 1000;
  while (true) {
    const client = new pg.Client({ connectionString, connectionTimeoutMillis: 3000 });
    try {
      await client.connect();
      return client;
    } catch (error) {
      if (performance.now() > deadline) {
        const reason = error instanceof Error ? error.message : error;
        throw new UnreachableError(
          `the database was unreachable for ${CONNECT_TIMEOUT} s: ${reason}`,
        );
      }
    }
    await setTimeout(1000);
  }
}
