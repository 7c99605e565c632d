/** Validates requests against their schemas. */

import { Ajv } from "ajv";
import type { FastifySchemaCompiler } from "fastify";
import type { TSchema } from "typebox";
import * as models from "./models.ts";
import { wrong } from "./problems.ts";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const INTEGER = /^-?[0-9]+$/; // JavaScript also reads 0x10 and 1e1
const OPTIONS = {
  allErrors: true,
  formats: { uuid: UUID, "date-time": true },
  schemas: Object.values(models).filter((model) => typeof model === "object"),
} as const;
/** Parameters are text and are coerced to numbers; a body has JSON types and is not. */
const body = new Ajv(OPTIONS);
const parameters = new Ajv({ ...OPTIONS, coerceTypes: true });

export const compileSchema: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  if (httpPart === "body") {
    return body.compile(schema);
  }
  const validate = parameters.compile(schema);
  const { properties = {} } = schema as { properties?: Record<string, { type?: string }> };
  return (values: Record<string, unknown>) => {
    const malformed = Object.keys(values).find(
      (name) => properties[name]?.type === "integer" && !INTEGER.test(String(values[name])),
    );
    if (malformed !== undefined) {
      return { error: wrong(malformed, "must be an integer") };
    }
    return validate(values) || { error: validate.errors ?? [] };
  };
};
