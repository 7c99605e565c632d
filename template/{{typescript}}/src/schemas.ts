/** Schemas of requests and responses: references between them, and validation. */

import { Ajv } from "ajv";
import type { FastifySchemaCompiler } from "fastify";
import { type Static, type TSchema, Type } from "typebox";

/** A schema with the name that openapi.json has for it. */
export type Model = TSchema & { $id?: string };

export type Fault = Static<typeof Fault>;
export const Fault = Type.Object(
  {
    detail: Type.String(),
    pointer: Type.Optional(Type.Union([Type.String(), Type.Null()], { default: null })),
    parameter: Type.Optional(Type.Union([Type.String(), Type.Null()], { default: null })),
  },
  {
    $id: "Fault",
    description:
      "One thing wrong with a request, and where: a JSON pointer into the body, or a parameter.",
  },
);

export type Problem = Static<typeof Problem>;
export const Problem = Type.Object(
  {
    type: Type.Optional(Type.String({ default: "about:blank" })),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    errors: Type.Optional(Type.Union([Type.Array(shared(Fault)), Type.Null()], { default: null })),
  },
  { $id: "Problem", description: "What every answer of 400 and above holds." },
);

/** Return a reference to a schema, so that OpenAPI contains it once. */
export function shared<S extends Model>(schema: S) {
  return Type.Unsafe<Static<S>>({ $ref: `${schema.$id}#` });
}

/** Return the successful response of an operation. Members that the schema lacks are not sent. */
export function responseOf<S extends Model>(schema: S) {
  const content = { "application/json": { schema: shared(schema) } };
  return { description: "Successful Response", content };
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const INTEGER = /^-?[0-9]+$/; // JavaScript also reads 0x10 and 1e1

/** Return the compiler of validators, which knows the schemas that others refer to. */
export function schemaCompiler(schemas: Model[]): FastifySchemaCompiler<TSchema> {
  const options = { allErrors: true, formats: { uuid: UUID, "date-time": true }, schemas } as const;
  // Parameters are text and are coerced to numbers; a body has JSON types and is not.
  const body = new Ajv(options);
  const parameters = new Ajv({ ...options, coerceTypes: true });
  return ({ schema, httpPart }) => {
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
        const error = {
          keyword: "type",
          schemaPath: "",
          params: {},
          message: "must be an integer",
        };
        return { error: [{ ...error, instancePath: `/${malformed}` }] };
      }
      return validate(values) || { error: validate.errors ?? [] };
    };
  };
}
