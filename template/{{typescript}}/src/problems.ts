/** Every error as application/problem+json (RFC 9457). */

import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { ErrorObject } from "ajv";
import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import type { Fault, Problem } from "./models.ts";
import { log, record } from "./telemetry.ts";

export const KIND = "application/problem+json";
const CONTENT = { content: { [KIND]: { schema: { $ref: "Problem#" } } } };
/** What every operation may answer besides what it is for. */
export const PROBLEMS = {
  "4xx": { description: "The request cannot be served", ...CONTENT },
  "5xx": { description: "The service cannot serve now", ...CONTENT },
};
// RFC 9110 has other names for these than Node.
const TITLES: Record<number, string> = { 413: "Content Too Large", 422: "Unprocessable Content" };
const BROKEN: Record<string, [status: number, detail: string]> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, "The request takes too long."],
  HPE_HEADER_OVERFLOW: [431, "The headers are too large."],
  HPE_INVALID_METHOD: [501, "No path has this method."],
};

/** Thrown by whoever cannot go on with a request: it becomes the answer. */
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

/** The refusal of one parameter. */
export function wrong(parameter: string, detail: string): Refusal {
  return new Refusal(422, "The request is not valid.", [{ detail, parameter }]);
}

export function nothingAt(url: string): Refusal {
  return new Refusal(404, `Nothing is at ${url.split("?", 1)[0]}.`);
}

/** Answer what a route refuses, or the framework, or what nobody foresaw. */
export function answerError(
  error: FastifyError | Refusal,
  _: FastifyRequest,
  reply: FastifyReply,
): void {
  if (error instanceof Refusal) {
    send(reply, error);
  } else if (error.validation) {
    const faults = error.validation as ErrorObject[];
    const inBody = error.validationContext === "body";
    send(reply, new Refusal(422, "The request is not valid.", faults.map(inBody ? inside : named)));
  } else if (error.statusCode && error.statusCode < 500) {
    send(reply, new Refusal(error.statusCode, error.message));
  } else {
    log.error({ err: error }, "nobody foresaw this");
    send(reply, new Refusal(500, "The service made a mistake."));
  }
}

function send(reply: FastifyReply, { status, message, errors, headers }: Refusal): void {
  reply
    .code(status)
    .headers(headers)
    .type(KIND)
    .send(problem(status, message, errors));
}

function problem(status: number, detail: string, errors?: Fault[]): Problem {
  const title = TITLES[status] ?? STATUS_CODES[status] ?? "Error";
  return { type: "about:blank", title, status, detail, ...(errors && { errors }) };
}

/** Point at what is wrong in a body. */
function inside({ instancePath, params, message = "is wrong" }: ErrorObject): Fault {
  const member: unknown = params.missingProperty ?? params.additionalProperty;
  const step = typeof member === "string" ? [member.replace(/~/g, "~0").replace(/\//g, "~1")] : [];
  const steps = [...instancePath.split("/").slice(1), ...step];
  return { detail: message, pointer: ["#", ...steps.map(encodeURIComponent)].join("/") };
}

/** Name the parameter that is wrong. */
function named({ instancePath, message = "is wrong" }: ErrorObject): Fault {
  return { detail: message, parameter: instancePath.slice(1) };
}

/** Read a body as JSON, and as text that can be written again. */
export async function parseJson(_: FastifyRequest, body: Buffer): Promise<unknown> {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body), wellFormed);
  } catch {
    throw new Refusal(400, "The body is not JSON.");
  }
}

function wellFormed(key: string, value: unknown): unknown {
  if (!key.isWellFormed() || (typeof value === "string" && !value.isWellFormed())) {
    throw new SyntaxError("half a surrogate pair");
  }
  return value;
}

/** Answer what is no request: broken HTTP, or a method that Node does not know. */
export function answerBroken(error: NodeJS.ErrnoException, socket: Socket): void {
  const [status, detail] = BROKEN[error.code ?? ""] ?? [400, "The request is broken."];
  const answering = (socket as { _httpMessage?: unknown })._httpMessage;
  if (!socket.writable || answering) {
    socket.destroy();
    return;
  }
  if (error.code === "HPE_INVALID_METHOD") {
    record({ method: "_OTHER", path: "", route: "", status }, 0);
  }
  const body = JSON.stringify(problem(status, detail));
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `Content-Type: ${KIND}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}
