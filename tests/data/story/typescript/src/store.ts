/** Stores orders and their lines in PostgreSQL. The migrations create the tables. */

import { v7 } from "uuid";
import type { Database } from "./database.ts";
import type { Line, Order, Status } from "./models.ts";

const LISTED = 100; // orders in one response
const SELECT = `select id, status, total_cents, created_at,
  (select json_agg(line order by position) from order_lines,
    json_build_object('product_id', product_id, 'quantity', quantity, 'price_cents', price_cents)
      as line
    where order_id = orders.id) as lines
  from orders`;

type Row = Omit<Order, "total_cents" | "created_at"> & { total_cents: string; created_at: Date };

/** Orders, the newest first. */
export class Store {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Create an order and return its ID, which sorts by time. */
  async add(lines: Line[]): Promise<string> {
    const id = v7();
    const total = lines.reduce((sum, line) => sum + line.quantity * line.price_cents, 0);
    await this.#database.transaction(async (query) => {
      await query("insert into orders (id, total_cents) values ($1, $2)", [id, total]);
      await query(
        `insert into order_lines (order_id, position, product_id, quantity, price_cents)
        select $1, position, product_id, quantity, price_cents
        from rows from (
          json_to_recordset($2) as (product_id uuid, quantity integer, price_cents integer)
        ) with ordinality as line (product_id, quantity, price_cents, position)`,
        [id, JSON.stringify(lines)],
      );
    });
    return id;
  }

  async get(id: string): Promise<Order | undefined> {
    const [order] = await this.#orders(`${SELECT} where id = $1`, [id]);
    return order;
  }

  /** Return the newest orders: those of one status, or all. */
  async newest(status?: Status): Promise<Order[]> {
    const text = `${SELECT} where $1::text is null or status = $1
      order by created_at desc, id desc limit ${LISTED}`;
    return await this.#orders(text, [status ?? null]);
  }

  /** Change the status of an open order. Return whether there was one with this ID. */
  async change(id: string, status: Status): Promise<boolean> {
    const update = "update orders set status = $2 where id = $1 and status = 'open' returning id";
    return (await this.#database.query(update, [id, status])).length > 0;
  }

  /** Mark the open orders that are older than this. */
  async expire(seconds: number): Promise<void> {
    const update = `update orders set status = 'expired'
      where status = 'open' and created_at < now() - make_interval(secs => $1)`;
    await this.#database.query(update, [seconds]);
  }

  async #orders(text: string, values: unknown[]): Promise<Order[]> {
    const rows = await this.#database.query<Row>(text, values);
    return rows.map((row) => ({
      ...row,
      total_cents: Number(row.total_cents),
      created_at: row.created_at.toISOString(),
    }));
  }
}
