/** The application, and the server process with its graceful shutdown. */

import { once } from "node:events";
import { createServer, METHODS, type Server } from "node:http";
import { setTimeout } from "node:timers/promises";
import swagger from "@fastify/swagger";
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from "fastify";
import { Callee } from "./calls.ts";
import { ConfigurationError, Environment, readSettings, SERVICE, type Settings } from "./config.ts";
import { addHealth, Readiness } from "./health.ts";
import { items, PATH } from "./items.ts";
import { Fault, Item, ItemPage, NewItem, Problem, Summary } from "./models.ts";
import {
  handleClientError,
  handleError,
  notFound,
  parseJson,
  Refusal,
  requireEncoded,
  UNENCODED,
} from "./problems.ts";
import { openStore, type Store } from "./store.ts";
import { log, observe, setLogLevel, setRoute, startTracing } from "./telemetry.ts";
import { compileSchema } from "./validation.ts";

const MIB = 1024 * 1024;
const HEADERS = 48 * 1024; // bytes
const GRACE = 20_000; // milliseconds for requests in flight
const FLUSH = 3000; // milliseconds to export the last spans

/** Build the application, without connecting to anything. */
export async function compose(
  store: Store,
  callees: Callee[],
  readiness: Readiness,
): Promise<FastifyInstance> {
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
  app.setValidatorCompiler(compileSchema);
  app.setSerializerCompiler(() => JSON.stringify); // TypeScript checks the responses
  app.removeAllContentTypeParsers();
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
  for (const schema of [Fault, Item, ItemPage, NewItem, Problem, Summary]) {
    app.addSchema(schema);
  }
  const paths = allowed(app);
  await app.register(swagger, {
    openapi: { openapi: "3.1.0", info: { title: SERVICE, version: "1.0.0" } },
    refResolver: { buildLocalReference: (schema) => String(schema.$id) },
  });
  addHealth(app, readiness);
  await app.register(items(store, callees), { prefix: PATH });
  app.get("/openapi.json", { schema: { hide: true } }, () => app.swagger());
  addOtherMethods(app, paths);
  return app;
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

/** Serve until SIGTERM or SIGINT. */
export async function serve(): Promise<void> {
  const stop = Promise.race([once(process, "SIGTERM"), once(process, "SIGINT")]);
  const environment = new Environment();
  const settings = readSettings(environment);
  const store = openStore(environment);
  environment.check();
  setLogLevel(settings.logLevel);
  const tracing = await startTracing(settings.exported);
  const readiness = new Readiness();
  const callees = Object.entries(settings.callees).map(([name, url]) => new Callee(name, url));
  const app = await compose(store, callees, readiness);
  await app.ready();
  for (const [name, check] of Object.entries(store.checks)) {
    readiness.watch(name, check);
  }
  await listen(app.server, settings);
  const [signal] = await stop;
  readiness.stopping = true;
  // Gateways notice with a delay that a replica stops. Closing at once would lose requests.
  // No drain after Ctrl-C.
  await setTimeout(signal === "SIGTERM" ? settings.drainSeconds * 1000 : 0);
  await close(app.server);
  await Promise.race([tracing.shutdown(), setTimeout(FLUSH)]);
  process.exit();
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
  const limit = globalThis.setTimeout(() => server.closeAllConnections(), GRACE);
  await once(server, "close");
  clearTimeout(limit);
}

if (import.meta.main) {
  const app = await compose(openStore(new Environment({})), [], new Readiness());
  await app.ready();
  console.log(JSON.stringify(app.swagger(), undefined, 2));
}
