/** Calls to other services: deadline, one retry, trace context and the caller's identity. */

import type { IncomingHttpHeaders } from "node:http";
import { setTimeout } from "node:timers/promises";
import { context, propagation, SpanKind, trace } from "@opentelemetry/api";
import { Compile, type XStatic } from "typebox/schema";
import { Agent, type Dispatcher, request } from "undici";
import { SERVICE, type Settings } from "./config.ts";
import { Refusal } from "./problems.ts";

const DEADLINE = 2000; // milliseconds for a whole call, including the retry
const PAUSE = 50; // milliseconds before the retry: a killed replica closes its connections one by one
const IDEMPOTENT = ["DELETE", "GET", "HEAD", "OPTIONS", "PUT"]; // RFC 9110, 9.2.2
const IDENTITY = ["authorization", "x-auth-subject", "x-auth-scopes"];

const tracer = trace.getTracer(SERVICE);
const agent = new Agent({ connect: { timeout: 500 } });

type Headers = Record<string, string>;
interface Reply {
  status: number;
  body: unknown;
}

/** Return the identity headers set by the gateway, which removes those sent by clients. */
export function readIdentity(headers: IncomingHttpHeaders): Headers {
  const entries = IDENTITY.map((name) => [name, headers[name]]);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

/** A called service, behind one load-balanced address. */
export class Callee {
  readonly name: string;
  readonly #url: string;
  readonly #dispatcher: Dispatcher;

  constructor(name: string, url: string, dispatcher: Dispatcher = agent) {
    this.name = name;
    this.#url = url;
    this.#dispatcher = dispatcher;
  }

  /** Call and parse the response. A failed call throws 502, an exceeded deadline 504. */
  async call<T>(
    method: Dispatcher.HttpMethod,
    path: string,
    isExpected: (body: unknown) => body is T,
    caller: Headers,
    body?: unknown,
  ): Promise<T> {
    const options = { kind: SpanKind.CLIENT };
    const reply = await tracer.startActiveSpan(`${method} ${this.name}`, options, async (span) => {
      const headers = { ...caller };
      propagation.inject(context.active(), headers);
      try {
        return await this.#send(method, path, headers, body);
      } catch (error) {
        throw isTimeout(error)
          ? new Refusal(504, `${this.name} timed out.`)
          : new Refusal(502, `${this.name} is unreachable.`);
      } finally {
        span.end();
      }
    });
    if (reply.status < 200 || reply.status > 299) {
      throw new Refusal(502, `${this.name} returned status ${reply.status}.`);
    }
    if (!isExpected(reply.body)) {
      throw new Refusal(502, `${this.name} returned an unexpected body.`);
    }
    return reply.body;
  }

  /** Send the request. Retry it once if it is idempotent and another replica may succeed. */
  async #send(
    method: Dispatcher.HttpMethod,
    path: string,
    headers: Headers,
    body: unknown,
  ): Promise<Reply> {
    const signal = AbortSignal.timeout(DEADLINE);
    const attempt = async () => {
      const response = await request(this.#url + path, {
        method,
        signal,
        dispatcher: this.#dispatcher,
        headers: body === undefined ? headers : { ...headers, "content-type": "application/json" },
        body: body === undefined ? null : JSON.stringify(body),
      });
      const text = await response.body.text();
      return { status: response.statusCode, body: readJson(text) };
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
      if (isTimeout(error)) {
        throw error;
      }
    }
    await setTimeout(PAUSE, undefined, { signal });
    return await attempt();
  }
}

/** Return the called services. */
export function openCallees(settings: Settings): Callee[] {
  return Object.entries(settings.callees).map(([name, url]) => new Callee(name, url));
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

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
