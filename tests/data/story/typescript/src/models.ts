/** Request and response bodies; the OpenAPI document is generated from them. */

import { type Static, Type } from "typebox";
import { shared } from "./schemas.ts";

export type Status = Static<typeof Status>;
export const Status = Type.Enum(["open", "paid", "expired"]);

export type Line = Static<typeof Line>;
export const Line = Type.Object(
  {
    product_id: Type.String({ format: "uuid" }),
    quantity: Type.Integer({ minimum: 1, maximum: 1000 }),
    price_cents: Type.Integer({ minimum: 0, maximum: 100_000_000 }),
  },
  {
    $id: "Line",
    description: "Some pieces of one product, and the price of one piece.",
    additionalProperties: false, // a misspelt member would be ignored
  },
);

export type NewOrder = Static<typeof NewOrder>;
export const NewOrder = Type.Object(
  { lines: Type.Array(shared(Line), { minItems: 1 }) },
  {
    $id: "NewOrder",
    description: "What a client sends to create an order.",
    additionalProperties: false,
  },
);

export type NewStatus = Static<typeof NewStatus>;
export const NewStatus = Type.Object(
  { status: Type.Literal("paid") },
  {
    $id: "NewStatus",
    description: "What a client sends to change the status of an order.",
    additionalProperties: false,
  },
);

export type Order = Static<typeof Order>;
export const Order = Type.Object(
  {
    id: Type.String({ format: "uuid" }),
    status: Status,
    lines: Type.Array(shared(Line)),
    total_cents: Type.Integer(),
    created_at: Type.String({ format: "date-time" }),
  },
  { $id: "Order", description: "An order as it is kept." },
);

export type OrderList = Static<typeof OrderList>;
export const OrderList = Type.Object(
  { orders: Type.Array(shared(Order)) },
  { $id: "OrderList", description: "The newest orders, the newest first." },
);
