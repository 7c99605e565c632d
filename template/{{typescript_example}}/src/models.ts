/** Request and response bodies; the OpenAPI document is generated from them. */

import { type Static, Type } from "typebox";
import { shared } from "./schemas.ts";

const name = Type.String({
  minLength: 1,
  maxLength: 200,
  pattern: "^[^\\x00-\\x1f\\x7f]*$",
  examples: ["first"],
  description: "Any text without control characters.",
});

export type NewItem = Static<typeof NewItem>;
export const NewItem = Type.Object(
  { name },
  {
    $id: "NewItem",
    description: "What a client sends to create an item.",
    additionalProperties: false, // a misspelt member would be ignored
  },
);

export type Item = Static<typeof Item>;
export const Item = Type.Object(
  {
    name,
    id: Type.String({ format: "uuid" }),
    created_at: Type.String({ format: "date-time" }),
  },
  { $id: "Item", description: "An item as it is kept.", additionalProperties: false },
);

export type ItemPage = Static<typeof ItemPage>;
export const ItemPage = Type.Object(
  {
    items: Type.Array(shared(Item)),
    next: Type.Union([Type.String(), Type.Null()]),
  },
  {
    $id: "ItemPage",
    description:
      "Some items, oldest first, and the cursor of the page that follows; null on the last one.",
  },
);

export interface Summary {
  service: string;
  items: number;
  calls: Record<string, Summary | null>;
}
export const Summary = Type.Object(
  {
    service: Type.String(),
    items: Type.Integer(),
    calls: Type.Unsafe<Record<string, Summary | null>>({
      type: "object",
      additionalProperties: { anyOf: [{ $ref: "Summary#" }, { type: "null" }] },
    }),
  },
  {
    $id: "Summary",
    description: "How many items there are, here and in each called service.",
    additionalProperties: true, // a newer version of a called service may add members
  },
);
