/** Calls to other services and to third parties: deadline, one retry, size limit and trace. */

import type { IncomingHttpHeaders } from "node:http";
import { setTimeout } from "node:timers/promises";
import { context, propagation, SpanKind, trace } from "@opentelemetry/api";
import { Compile, type XStatic } from "typebox/schema";
import { Agent, type Dispatcher, request } from "undici";
import { SERVICE, type Settings } from "./config.ts";
import { KIND, Refusal, wrong } from "./problems.ts";
import type { Problem } from "./schemas.ts";
import { readDeadline, TIMEOUT_HEADER } from "./telemetry.ts";

const TIMEOUT = 2000; // milliseconds for a whole call, including the retry
const MAX_BYTES = 1024 * 1024; // of a response
const PAUSE = 50; // milliseconds before the retry: a killed replica closes its connections one by one
const IDEMPOTENT = ["DELETE", "GET", "HEAD", "OPTIONS", "PUT"]; // RFC 9110, 9.2.2
const IDENTITY = ["authorization", "x-auth-subject", "x-auth-scopes"];

const UTF8 = new TextDecoder("utf-8", { fatal: true });
const tracer = trace.getTracer(SERVICE);
const agent = new Agent({ connect: { timeout: 500 } });

type Headers = Record<string, string>;
type Value = string | number | boolean;

/** The names in a path: `"id"` for `"/v1/products/{id}"`. */
type PathName<P extends string> = P extends `${string}{${infer Name}}${infer Rest}`
  ? Name | PathName<Rest>
  : never;

export interface CallOptions<P extends string = string> {
  /** The values for the names in the path, which are percent-encoded. */
  params?: Record<PathName<P>, Value>;
  /** The query; undefined values are left out. */
  query?: Record<string, Value | undefined>;
  /** The body, which is sent as JSON. */
  body?: unknown;
  /** More headers, for example the identity. */
  headers?: Headers;
  /** Milliseconds for the whole call, including the retry. */
  timeout?: number;
  /** The largest accepted response. */
  maxBytes?: number;
}

/** What a callee responded. */
export interface CalleeResponse {
  status: number;
  /** The body, if it is a problem (RFC 9457). */
  problem: Partial<Problem> | undefined;
  /** Retry-After in seconds. */
  retryAfter: number | undefined;
}

/** A failed call. A route that does not catch it responds with 502, or 504 after a timeout. */
export class CalleeError extends Refusal {
  readonly callee: string;
  /** Undefined if there was no response. */
  readonly response: CalleeResponse | undefined;

  constructor(status: 502 | 504, callee: string, detail: string, response?: CalleeResponse) {
    super(status, `${callee} ${detail}`);
    this.callee = callee;
    this.response = response;
  }
}

/** Return the identity headers set by the gateway, which removes those sent by clients. */
export function readIdentity(headers: IncomingHttpHeaders): Headers {
  const entries = IDENTITY.map((name) => [name, headers[name]]);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

/** Return the called services. */
export function openCallees(settings: Settings): Callee[] {
  return Object.entries(settings.callees).map(([name, url]) => new Callee(name, url));
}

interface Reply extends CalleeResponse {
  body: unknown;
}

/** A called service behind one load-balanced address, or a third party. */
export class Callee {
  readonly name: string;
  readonly #url: string;
  readonly #defaults: { timeout: number; maxBytes: number };
  readonly #dispatcher: Dispatcher;

  constructor(
    name: string,
    url: string,
    { timeout = TIMEOUT, maxBytes = MAX_BYTES, dispatcher = agent as Dispatcher } = {},
  ) {
    this.name = name;
    this.#url = url.replace(/\/+$/, "");
    this.#defaults = { timeout, maxBytes };
    this.#dispatcher = dispatcher;
  }

  /** Send a request and return the parsed body of a 2xx response. All else throws CalleeError. */
  async request<T, P extends string>(
    method: Dispatcher.HttpMethod,
    path: P,
    isExpected: (body: unknown) => body is T,
    options: CallOptions<P> = {},
  ): Promise<T> {
    const target = this.#url + expand(path, options.params ?? {}, options.query ?? {});
    const kind = { kind: SpanKind.CLIENT };
    const reply = await tracer.startActiveSpan(`${method} ${this.name}`, kind, async (span) => {
      try {
        return await this.#send(method, target, options);
      } catch (error) {
        if (error instanceof CalleeError) {
          throw error;
        }
        throw isTimeout(error)
          ? new CalleeError(504, this.name, "timed out.")
          : new CalleeError(502, this.name, "is unreachable.");
      } finally {
        span.end();
      }
    });
    if (reply.status < 200 || reply.status > 299) {
      throw new CalleeError(502, this.name, `returned status ${reply.status}.`, reply);
    }
    if (!isExpected(reply.body)) {
      throw new CalleeError(502, this.name, "returned an unexpected body.", reply);
    }
    return reply.body;
  }

  /** Send a request as the example of templates before v1.7 does. */
  async call<T>(
    method: Dispatcher.HttpMethod,
    path: string,
    isExpected: (body: unknown) => body is T,
    caller: Headers,
    body?: unknown,
  ): Promise<T> {
    return await this.request(method, path, isExpected, { headers: caller, body });
  }

  /** Send the request. Retry it once if it is idempotent and another replica may succeed. */
  async #send(method: Dispatcher.HttpMethod, url: string, options: CallOptions): Promise<Reply> {
    const { timeout, maxBytes } = { ...this.#defaults, ...options };
    const end = Math.min(performance.now() + timeout, readDeadline());
    const signal = AbortSignal.timeout(Math.max(0, Math.floor(end - performance.now())));
    const { body } = options;
    const attempt = async (): Promise<Reply> => {
      const left = Math.floor(end - performance.now());
      if (left <= 0) {
        throw new DOMException("The deadline has passed.", "TimeoutError");
      }
      const headers: Headers = { ...options.headers, [TIMEOUT_HEADER]: String(left) };
      propagation.inject(context.active(), headers);
      if (body !== undefined) {
        headers["content-type"] = "application/json";
      }
      const text = body === undefined ? null : JSON.stringify(body);
      const dispatcher = this.#dispatcher;
      const response = await request(url, { method, signal, dispatcher, headers, body: text });
      return await this.#read(response, maxBytes);
    };
    if (!IDEMPOTENT.includes(method)) {
      return await attempt();
    }
    try {
      const reply = await attempt();
      if (reply.status !== 503) {
        return reply;
      }
    } catch (error) {
      if (isTimeout(error) || error instanceof CalleeError) {
        throw error;
      }
    }
    await setTimeout(PAUSE, undefined, { signal });
    return await attempt();
  }

  async #read(response: Dispatcher.ResponseData, maxBytes: number): Promise<Reply> {
    const { "content-type": type, "retry-after": retryAfter } = response.headers;
    const received = {
      status: response.statusCode,
      problem: undefined,
      retryAfter: readRetryAfter(String(retryAfter)),
    };
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of response.body) {
      size += chunk.length;
      if (size > maxBytes) {
        throw new CalleeError(502, this.name, `returned more than ${maxBytes} bytes.`, received);
      }
      chunks.push(chunk);
    }
    const body = readJson(Buffer.concat(chunks));
    const isProblem = String(type).startsWith(KIND) && typeof body === "object" && body !== null;
    return { ...received, problem: isProblem ? body : undefined, body };
  }
}

/** Fill in the names of a path and add the query, both percent-encoded. */
function expand(
  path: string,
  params: Record<string, Value>,
  query: Record<string, Value | undefined>,
): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const text = String(params[name] ?? "");
    if (["", ".", ".."].includes(text)) {
      throw wrong(name, "cannot be a segment of a path"); // these would lead to another path
    }
    return encodeURIComponent(text);
  });
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined);
  const search = new URLSearchParams(pairs.map(([name, value]) => [name, String(value)]));
  return search.size > 0 ? `${filled}?${search}` : filled;
}

/** Read Retry-After, which is a number of seconds or a date (RFC 9110, 10.2.3). */
function readRetryAfter(text: string): number | undefined {
  const seconds = /^\d+$/.test(text) ? Number(text) : (Date.parse(text) - Date.now()) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.max(0, Math.ceil(seconds));
}

/** Return a type guard for a schema of a service's document. It allows additional members. */
export function typeGuard<D extends object, N extends string>(document: D, name: N) {
  type Schema = D & { $ref: `#/components/schemas/${N}` };
  const allowMore = (key: string, value: unknown) =>
    key === "additionalProperties" && value === false ? true : value;
  const schema = { ...document, $ref: `#/components/schemas/${name}` };
  const validator = Compile<Schema>(JSON.parse(JSON.stringify(schema), allowMore));
  return (body: unknown): body is XStatic<Schema> => validator.Check(body);
}

/** The name of `typeGuard` in the example of template v1.0, which services of that version have. */
export const answerOf = typeGuard;

/** Whether the deadline aborted the request or the pause before the retry. */
function isTimeout(error: unknown): boolean {
  return error instanceof Error && ["AbortError", "TimeoutError"].includes(error.name);
}

function readJson(text: Buffer): unknown {
  try {
    return JSON.parse(UTF8.decode(text));
  } catch {
    return undefined;
  }
}
