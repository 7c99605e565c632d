/** The application, and the server process with its graceful shutdown. */

import { once } from "node:events";
import { createServer, METHODS, type Server } from "node:http";
import { setTimeout } from "node:timers/promises";
import swagger from "@fastify/swagger";
import type { TracerProvider } from "@opentelemetry/sdk-trace";
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from "fastify";
import { ConfigurationError, Environment, readSettings, SERVICE, type Settings } from "./config.ts";
import { addHealth, Readiness } from "./health.ts";
import {
  handleClientError,
  handleError,
  notFound,
  parseJson,
  Refusal,
  requireEncoded,
  UNENCODED,
} from "./problems.ts";
import { Fault, type Model, Problem, schemaCompiler } from "./schemas.ts";
import { endLog, log, observe, setLogLevel, setRoute, startTracing } from "./telemetry.ts";

const MIB = 1024 * 1024;
const HEADERS = 48 * 1024; // bytes
const GRACE = 20_000; // milliseconds for requests in flight
const FLUSH = 3000; // milliseconds to export the last spans, and to write the last lines of the log

/** What a service has besides the server; src/service.ts returns it. */
export interface Service {
  /** Adds the routes. */
  routes: (app: FastifyInstance) => Promise<void>;
  /** The schemas that others refer to. */
  schemas?: Model[];
  /** Readiness checks by name. The service is not ready while one fails. */
  checks?: Record<string, () => Promise<unknown>>;
  /** Work beside the server, by name. The signal aborts when the service stops. */
  tasks?: Record<string, (signal: AbortSignal) => Promise<void>>;
  /** Commands that run once without the server, by name. The signal aborts on SIGTERM. */
  jobs?: Record<string, (signal: AbortSignal) => Promise<void>>;
  /** Closes what was opened, after the last request and task. */
  close?: () => Promise<void>;
}

/** Reads the service's own settings and returns the service, without connecting to anything. */
export type OpenService = (environment: Environment, settings: Settings) => Service;

/** Build the application. */
export async function compose(service: Service, readiness: Readiness): Promise<FastifyInstance> {
  const schemas = [Fault, Problem, ...(service.schemas ?? [])].sort(byName);
  const app = Fastify({
    loggerInstance: log as FastifyBaseLogger,
    childLoggerFactory: (logger) => logger, // the trace ID identifies requests
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: MIB,
    routerOptions: { maxParamLength: 16_384 }, // Node's limit for a path
    return503OnClosing: false,
    // Longer than gateways', so that the gateway closes an idle connection first.
    serverFactory: (handler) =>
      createServer({ keepAliveTimeout: 75_000, maxHeaderSize: HEADERS }, observe(handler)),
    clientErrorHandler: handleClientError,
    frameworkErrors: (_, request, reply) => handleError(UNENCODED, request, reply),
  });
  app.setErrorHandler(handleError);
  app.setValidatorCompiler(schemaCompiler(schemas));
  app.removeAllContentTypeParsers(); // a route with another media type adds its parser
  app.addContentTypeParser(/^application\/(\S+\+)?json\b/i, { parseAs: "buffer" }, parseJson);
  app.addHook("onRequest", async (request) => {
    requireEncoded(request.url);
    // The second condition: an extra / would match as an empty parameter.
    if (request.is404 || Object.values(request.params as object).includes("")) {
      throw notFound(request.url);
    }
    setRoute(request.raw, request.routeOptions.url ?? "");
  });
  app.addHook("onSend", async (_, reply) => {
    if (!app.server.listening) {
      reply.header("connection", "close"); // otherwise it stays open until GRACE is over
    }
  });
  for (const schema of schemas) {
    app.addSchema(schema);
  }
  const paths = allowed(app);
  await app.register(swagger, {
    openapi: { openapi: "3.1.0", info: { title: SERVICE, version: "1.0.0" } },
    refResolver: { buildLocalReference: (schema) => String(schema.$id) },
  });
  addHealth(app, readiness);
  await app.register(service.routes);
  app.get("/openapi.json", { schema: { hide: true } }, () => app.swagger());
  addOtherMethods(app, paths);
  return app;
}

function byName(one: Model, other: Model): number {
  return String(one.$id) < String(other.$id) ? -1 : 1;
}

/** Collect the methods of each path. */
function allowed(app: FastifyInstance): Map<string, Set<string>> {
  const paths = new Map<string, Set<string>>();
  app.addHook("onRoute", ({ url, method }) => {
    const methods = paths.get(url) ?? new Set(["OPTIONS"]);
    paths.set(url, methods.union(new Set([method].flat())));
  });
  return paths;
}

/** Respond to OPTIONS with 204 and to unsupported methods with 405, both with Allow. */
function addOtherMethods(app: FastifyInstance, paths: Map<string, Set<string>>): void {
  const known = METHODS.filter((method) => method !== "CONNECT");
  for (const method of known.filter((method) => !app.supportedMethods.includes(method))) {
    app.addHttpMethod(method);
  }
  for (const [url, methods] of [...paths]) {
    const headers = { allow: [...methods].sort().join(", ") };
    const schema = { hide: true };
    const reject = async () => {
      throw new Refusal(405, "This path does not allow this method.", undefined, headers);
    };
    const respond = async (_: FastifyRequest, reply: FastifyReply) =>
      reply.code(204).headers(headers).send();
    app.options(url, { schema, onRequest: respond }, respond);
    const method = known.filter((method) => !methods.has(method));
    app.route({ method, url, schema, onRequest: reject, handler: reject });
  }
}

/** Return the OpenAPI document, without any setting. */
export async function describe(openService: OpenService): Promise<object> {
  const environment = new Environment({});
  const service = openService(environment, readSettings(environment));
  const app = await compose(service, new Readiness());
  await app.ready();
  return app.swagger();
}

/** Serve until SIGTERM or SIGINT. */
export async function serve(openService: OpenService): Promise<void> {
  const stop = Promise.race([once(process, "SIGTERM"), once(process, "SIGINT")]);
  const environment = new Environment();
  const settings = readSettings(environment);
  const service = openService(environment, settings);
  environment.check();
  setLogLevel(settings.logLevel);
  const tracing = await startTracing(settings.exported);
  const readiness = new Readiness();
  const app = await compose(service, readiness);
  await app.ready();
  for (const [name, check] of Object.entries(service.checks ?? {})) {
    readiness.watch(name, check);
  }
  await listen(app.server, settings);
  const stopped = new AbortController();
  const tasks = Object.entries(service.tasks ?? {}).map(([name, task]) =>
    run(name, task, stopped.signal),
  );
  const [signal] = await stop;
  readiness.stopping = true;
  // Gateways notice with a delay that a replica stops. Closing at once would lose requests.
  // No drain after Ctrl-C.
  await setTimeout(signal === "SIGTERM" ? settings.drainSeconds * 1000 : 0);
  stopped.abort();
  await Promise.all([close(app.server), Promise.race([Promise.all(tasks), setTimeout(GRACE)])]);
  await end(service, tracing);
}

/** Run a job once. If it fails, the exit code is 1. */
export async function runJob(openService: OpenService, name: string): Promise<void> {
  const environment = new Environment();
  const settings = readSettings(environment);
  const service = openService(environment, settings);
  const jobs = new Map(Object.entries(service.jobs ?? {}));
  const job = jobs.get(name);
  if (!job) {
    const names = ["migrate", "openapi", ...jobs.keys()].join(", ");
    throw new ConfigurationError(`unknown command ${name}: use ${names}, or no argument to serve`);
  }
  environment.check();
  setLogLevel(settings.logLevel);
  const tracing = await startTracing(settings.exported);
  const stopped = new AbortController();
  process.once("SIGTERM", () => stopped.abort());
  try {
    await job(stopped.signal);
  } catch (error) {
    log.error({ err: error }, `the job ${name} failed`);
    process.exitCode = 1;
  }
  await end(service, tracing);
}

/** Close what was opened, write the last spans and log lines, and exit. */
async function end(service: Service, tracing: TracerProvider): Promise<void> {
  await service.close?.();
  await Promise.race([tracing.shutdown(), setTimeout(FLUSH)]);
  await Promise.race([endLog(), setTimeout(FLUSH)]);
  process.exit();
}

/** Run a task until it ends. One that fails ends the process: nothing would start it again. */
async function run(
  name: string,
  task: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  try {
    await task(signal);
  } catch (error) {
    if (signal.aborted && error instanceof Error && error.name === "AbortError") {
      return; // how a wait with this signal ends
    }
    log.error({ err: error }, `the task ${name} failed`);
    if (!signal.aborted) {
      process.exit(1);
    }
  }
}

/** Listen on HOST; without it on all interfaces, over IPv4 and, if available, IPv6. */
async function listen(server: Server, { host, port }: Settings): Promise<void> {
  server.listen({ host, port, backlog: 2048 });
  try {
    await once(server, "listening");
  } catch (error) {
    throw new ConfigurationError(`HOST or PORT: ${error instanceof Error ? error.message : error}`);
  }
}

/** Reject new connections and wait for the requests in flight. */
async function close(server: Server): Promise<void> {
  server.close();
  // A connection becomes idle later if its request was rejected before the end of the body.
  const idle = setInterval(() => server.closeIdleConnections(), 100);
  const limit = globalThis.setTimeout(() => server.closeAllConnections(), GRACE);
  await once(server, "close");
  clearInterval(idle);
  clearTimeout(limit);
}
