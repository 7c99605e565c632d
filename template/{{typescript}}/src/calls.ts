/** How this service calls others: in time, with one retry, in one trace, for the same caller. */

import type { IncomingHttpHeaders } from "node:http";
import { setTimeout } from "node:timers/promises";
import { context, propagation, SpanKind, trace } from "@opentelemetry/api";
import { Compile, type XStatic } from "typebox/schema";
import { Agent, type Dispatcher, request } from "undici";
import { SERVICE } from "./config.ts";
import { Refusal } from "./problems.ts";

const DEADLINE = 2000; // milliseconds for a call as a whole, the retry included
const PAUSE = 50; // milliseconds before the retry: a killed replica closes its connections one by one
const IDEMPOTENT = ["DELETE", "GET", "HEAD", "OPTIONS", "PUT"]; // RFC 9110, 9.2.2
const IDENTITY = ["authorization", "x-auth-subject", "x-auth-scopes"];

const tracer = trace.getTracer(SERVICE);
const agent = new Agent({ connect: { timeout: 500 } });

type Headers = Record<string, string>;
interface Answer {
  status: number;
  body: unknown;
}

/** Who asks, as the gateway has found out: it strips what clients claim themselves. */
export function readIdentity(headers: IncomingHttpHeaders): Headers {
  const given = IDENTITY.map((name) => [name, headers[name]]);
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

/** A service that this one calls, at one address that balances over its replicas. */
export class Callee {
  readonly name: string;
  readonly #url: string;
  readonly #dispatcher: Dispatcher;

  constructor(name: string, url: string, dispatcher: Dispatcher = agent) {
    this.name = name;
    this.#url = url;
    this.#dispatcher = dispatcher;
  }

  /** Call, and read the answer. What goes wrong there is 502 here; what is too slow is 504. */
  async call<T>(
    method: Dispatcher.HttpMethod,
    path: string,
    isAnswer: (body: unknown) => body is T,
    caller: Headers,
    body?: unknown,
  ): Promise<T> {
    const options = { kind: SpanKind.CLIENT };
    const answer = await tracer.startActiveSpan(`${method} ${this.name}`, options, async (span) => {
      const headers = { ...caller };
      propagation.inject(context.active(), headers);
      try {
        return await this.#send(method, path, headers, body);
      } catch (error) {
        throw isTimeout(error)
          ? new Refusal(504, `${this.name} takes too long.`)
          : new Refusal(502, `${this.name} is not reached.`);
      } finally {
        span.end();
      }
    });
    if (answer.status < 200 || answer.status > 299) {
      throw new Refusal(502, `${this.name} answered ${answer.status}.`);
    }
    if (!isAnswer(answer.body)) {
      throw new Refusal(502, `${this.name} answered something else.`);
    }
    return answer.body;
  }

  /** Send; when another replica may do better, and a repetition does no harm, once more. */
  async #send(
    method: Dispatcher.HttpMethod,
    path: string,
    headers: Headers,
    body: unknown,
  ): Promise<Answer> {
    const signal = AbortSignal.timeout(DEADLINE);
    const once = async () => {
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
      return await once();
    }
    try {
      const answer = await once();
      if (answer.status !== 503) {
        return answer;
      }
    } catch (error) {
      if (isTimeout(error)) {
        throw error;
      }
    }
    await setTimeout(PAUSE, undefined, { signal });
    return await once();
  }
}

/** Tell whether an answer is what a service's document says. A newer one may hold more. */
export function answerOf<D extends object, N extends string>(document: D, name: N) {
  type Answer = D & { $ref: `#/components/schemas/${N}` };
  const more = (key: string, value: unknown) =>
    key === "additionalProperties" && value === false ? true : value;
  const schema = { ...document, $ref: `#/components/schemas/${name}` };
  const validator = Compile<Answer>(JSON.parse(JSON.stringify(schema), more));
  return (answer: unknown): answer is XStatic<Answer> => validator.Check(answer);
}

/** What the deadline ends: the request, or the pause before its repetition. */
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
