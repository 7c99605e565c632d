/** Brings the database up to date: a step of its own, before the new version starts. */

import { readdir, readFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import pg from "pg";
import { ConfigurationError, Environment } from "./config.ts";
import { readDatabase } from "./store.ts";
import { log } from "./telemetry.ts";

const MIGRATIONS = new URL("migrations/", import.meta.url);
const PATIENCE = 30; // seconds, for a database that starts at the same time

/** Run all migrations that are missing, in the order of their names. Two at once wait. */
export async function migrate(): Promise<void> {
  const environment = new Environment();
  const url = readDatabase(environment);
  environment.check();
  const client = await connect(url);
  await client.query("select pg_advisory_lock(hashtext('migrations'))");
  await client.query("create table if not exists migrations (name text primary key)");
  const { rows } = await client.query<{ name: string }>("select name from migrations");
  const done = new Set(rows.map((row) => row.name));
  for (const name of (await readdir(MIGRATIONS)).sort().filter((name) => !done.has(name))) {
    await run(client, name);
  }
  await client.end();
  log.info("the database is up to date");
}

/** Run one migration, wholly or not at all. */
async function run(client: pg.Client, name: string): Promise<void> {
  await client.query("begin");
  await client.query(await readFile(new URL(name, MIGRATIONS), "utf8"));
  await client.query("insert into migrations (name) values ($1)", [name]);
  await client.query("commit");
}

/** Connect, or end the process when the database does not answer in time. */
async function connect(connectionString: string): Promise<pg.Client> {
  const end = performance.now() + PATIENCE * 1000;
  while (true) {
    const client = new pg.Client({ connectionString, connectionTimeoutMillis: 3000 });
    try {
      await client.connect();
      return client;
    } catch (error) {
      if (performance.now() > end) {
        const reason = error instanceof Error ? error.message : error;
        throw new ConfigurationError(
          `the database was not reached within ${PATIENCE} s: ${reason}`,
        );
      }
    }
    await setTimeout(1000);
  }
}
