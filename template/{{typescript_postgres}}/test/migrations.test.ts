/** The database: concurrent migrations, transactions, and an unreachable database. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Environment } from "../src/config.ts";
import { Database, openDatabase } from "../src/database.ts";
import { Refusal } from "../src/problems.ts";
import { environment, skip } from "./environment.ts";
import { Running } from "./running.ts";

test("concurrent migrations succeed", { skip }, async () => {
  const processes = [new Running(environment, "migrate"), new Running(environment, "migrate")];
  const codes = await Promise.all(processes.map((process) => process.exited()));
  assert.deepEqual(codes, [0, 0]);
});

test("a transaction has all effects or none", { skip }, async () => {
  const database = openDatabase(new Environment(environment));
  await database.query("create table tested (value integer)");
  await database.transaction((query) => query("insert into tested values ($1)", [1]));
  const failed = database.transaction(async (query) => {
    await query("insert into tested values ($1)", [2]);
    throw new Refusal(409, "The order is closed.");
  });
  await assert.rejects(failed, { status: 409 });
  assert.deepEqual(await database.query("select value from tested"), [{ value: 1 }]);
  await database.close();
});

test("an unreachable database is 503", async () => {
  const database = new Database("postgresql://127.0.0.1:1/orders");
  await assert.rejects(database.query("select 1"), { status: 503 });
  await assert.rejects(
    database.transaction(async () => {}),
    { status: 503 },
  );
  await database.close();
});
