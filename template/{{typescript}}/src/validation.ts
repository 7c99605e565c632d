/** Validates requests against their schemas. */

import { Ajv } from "ajv";
import type { FastifySchemaCompiler } from "fastify";
import type { TSchema } from "typebox";
import * as models from "./models.ts";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const OPTIONS = {
  allErrors: true,
  formats: { uuid: UUID, "date-time": true },
  schemas: Object.values(models).filter((model) => typeof model === "object"),
} as const;
/** Parameters are text and are coerced to numbers; a body has JSON types and is not. */
const body = new Ajv(OPTIONS);
const parameters = new Ajv({ ...OPTIONS, coerceTypes: true });

export const compileSchema: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) =>
  (httpPart === "body" ? body : parameters).compile(schema);
