/** How requests are held to their schemas. */

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
/** JSON has types, so a body is taken as it is; parameters are text that means a number. */
const body = new Ajv(OPTIONS);
const parameters = new Ajv({ ...OPTIONS, coerceTypes: true });

export const compileSchema: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) =>
  (httpPart === "body" ? body : parameters).compile(schema);
