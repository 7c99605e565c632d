/** Error responses as application/problem+json (RFC 9457). */

import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { ErrorObject } from "ajv";
import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import type { Fault, Problem } from "./schemas.ts";
import { log, record } from "./telemetry.ts";

export const KIND = "application/problem+json";
const CONTENT = { content: { [KIND]: { schema: { $ref: "Problem#" } } } };
/** Error responses of every operation. */
export const PROBLEMS = {
  "4xx": { description: "The request cannot be served", ...CONTENT },
  "5xx": { description: "The service cannot serve now", ...CONTENT },
};
// The names in RFC 9110; Node has older ones.
const TITLES: Record<number, string> = { 413: "Content Too Large", 422: "Unprocessable Content" };
const CLIENT_ERRORS: Record<string, [status: number, detail: string]> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, "The request timed out."],
  HPE_HEADER_OVERFLOW: [431, "The headers are too large."],
  HPE_INVALID_METHOD: [501, "Unknown method."],
};

/** An error that is sent as the response. */
export class Refusal extends Error {
  readonly status: number;
  readonly errors: Fault[] | undefined;
  readonly headers: Record<string, string>;

  constructor(status: number, detail: string, errors?: Fault[], headers = {}) {
    super(detail);
    this.status = status;
    this.errors = errors;
    this.headers = headers;
  }
}

/** Return the error for an invalid parameter. */
export function wrong(parameter: string, detail: string): Refusal {
  return new Refusal(422, "The request is not valid.", [{ detail, parameter }]);
}

export const UNENCODED = new Refusal(400, "The path or the query is not percent-encoded UTF-8.");

/** Reject a path or query that cannot be decoded. */
export function requireEncoded(url: string): void {
  try {
    decodeURIComponent(url);
  } catch {
    throw UNENCODED;
  }
}

export function notFound(url: string): Refusal {
  return new Refusal(404, `No route matches ${url.split("?", 1)[0]}.`);
}

/** Respond to an error of a route or of the framework. */
export function handleError(
  error: FastifyError | Refusal,
  _: FastifyRequest,
  reply: FastifyReply,
): void {
  if (error instanceof Refusal) {
    send(reply, error);
  } else if (error.validation) {
    const errors = error.validation as ErrorObject[];
    const toFault = error.validationContext === "body" ? bodyFault : parameterFault;
    send(reply, new Refusal(422, "The request is not valid.", errors.map(toFault)));
  } else if (error.statusCode && error.statusCode < 500) {
    send(reply, new Refusal(error.statusCode, error.message));
  } else {
    log.error({ err: error }, "unhandled exception");
    send(reply, new Refusal(500, "Internal error."));
  }
}

function send(reply: FastifyReply, { status, message, errors, headers }: Refusal): void {
  reply
    .code(status)
    .headers(headers)
    .type(KIND)
    .serializer(JSON.stringify) // as it is: a schema's serializer adds default members
    .send(problem(status, message, errors));
}

function problem(status: number, detail: string, errors?: Fault[]): Problem {
  const title = TITLES[status] ?? STATUS_CODES[status] ?? "Error";
  return { type: "about:blank", title, status, detail, ...(errors && { errors }) };
}

/** Locate an error in the body by a JSON pointer. */
function bodyFault({ instancePath, params, message = "is invalid" }: ErrorObject): Fault {
  const member: unknown = params.missingProperty ?? params.additionalProperty;
  const last = typeof member === "string" ? [member.replace(/~/g, "~0").replace(/\//g, "~1")] : [];
  const tokens = [...instancePath.split("/").slice(1), ...last];
  return { detail: message, pointer: ["#", ...tokens.map(encodeURIComponent)].join("/") };
}

/** Locate an error by the name of its parameter. */
function parameterFault({ instancePath, message = "is invalid" }: ErrorObject): Fault {
  return { detail: message, parameter: instancePath.slice(1) };
}

/** Parse a body as JSON. Reject text that UTF-8 cannot encode. */
export async function parseJson(_: FastifyRequest, body: Buffer): Promise<unknown> {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body), wellFormed);
  } catch {
    throw new Refusal(400, "The body is not valid JSON.");
  }
}

function wellFormed(key: string, value: unknown): unknown {
  if (!key.isWellFormed() || (typeof value === "string" && !value.isWellFormed())) {
    throw new SyntaxError("lone surrogate");
  }
  return value;
}

/** Respond to malformed HTTP and to methods that Node does not know. */
export function handleClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  const [status, detail] = CLIENT_ERRORS[error.code ?? ""] ?? [400, "The request is malformed."];
  const response = (socket as { _httpMessage?: unknown })._httpMessage;
  if (!socket.writable || response) {
    socket.destroy();
    return;
  }
  record({ method: "_OTHER", path: "", route: "", status }, 0);
  const body = JSON.stringify(problem(status, detail));
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `Content-Type: ${KIND}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}
