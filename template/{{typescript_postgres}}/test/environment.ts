/** The environment of the service in tests: a new schema, so existing data is not touched. */

import { execFileSync, spawnSync } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { after } from "node:test";
import pg from "pg";
import { SERVICE } from "../src/config.ts";
import { Running } from "./running.ts";
import { settings } from "./settings.ts";

// A checkout has its own project: other checkouts' tests do not stop its database.
const CHECKOUT = createHash("sha256").update(process.cwd()).digest("hex").slice(0, 8);
const COMPOSE = ["compose", "--project-name", `${SERVICE}-test-${CHECKOUT}`];
const hasDocker = spawnSync("docker", ["info"]).status === 0;

export const skip =
  !process.env.DATABASE_URL && !hasDocker
    ? "no database: DATABASE_URL is not set, and Docker is not running"
    : false;
export const environment: Record<string, string> = { ...settings };

if (!skip) {
  const url = new URL(process.env.DATABASE_URL || startDatabase());
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  const schema = `test_${randomUUID().replaceAll("-", "")}`;
  await client.query(`create schema ${schema}`);
  after(async () => {
    await client.query(`drop schema ${schema} cascade`);
    await client.end();
    stopDatabase();
  });
  url.searchParams.set("options", `-csearch_path=${schema}`);
  environment.DATABASE_URL = url.href;
  const migration = new Running(environment, "migrate");
  if ((await migration.exited()) !== 0) {
    throw new Error(migration.log);
  }
}

/** Start the database of compose.yaml and return its URL. */
function startDatabase(): string {
  docker("up", "--quiet-pull", "--wait", `${SERVICE}-db`);
  const port = docker("port", `${SERVICE}-db`, "5432").trim();
  return `postgresql://${SERVICE}:dev@${port}/${SERVICE}`;
}

function stopDatabase(): void {
  if (!process.env.DATABASE_URL) {
    docker("down", "--volumes");
  }
}

function docker(...args: string[]): string {
  return execFileSync("docker", [...COMPOSE, ...args], { encoding: "utf8" });
}
