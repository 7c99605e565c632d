/** How the parts come together, and how the process serves and stops. */

import { once } from "node:events";
import { createServer, METHODS, type Server } from "node:http";
import { setTimeout } from "node:timers/promises";
import swagger from "@fastify/swagger";
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from "fastify";
import { Callee } from "./calls.ts";
import { ConfigurationError, Environment, readSettings, SERVICE } from "./config.ts";
import { addHealth, Readiness } from "./health.ts";
import { items, PATH } from "./items.ts";
import { Fault, Item, ItemPage, NewItem, Problem, Summary } from "./models.ts";
import { answerBroken, answerError, nothingAt, parseJson, Refusal } from "./problems.ts";
import { openStore, type Store } from "./store.ts";
import { log, noteRoute, observed, setLogLevel, startTracing } from "./telemetry.ts";
import { compileSchema } from "./validation.ts";

const MIB = 1024 * 1024;
const GRACE = 20_000; // milliseconds for requests in flight
const FLUSH = 3000; // milliseconds for the last spans: their collector may be gone already

/** Put the parts together; nothing is connected yet. */
export async function compose(
  store: Store,
  callees: Callee[],
  readiness: Readiness,
): Promise<FastifyInstance> {
  const app = Fastify({
    loggerInstance: log as FastifyBaseLogger,
    childLoggerFactory: (logger) => logger, // the trace's id tells requests apart
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: MIB,
    routerOptions: { maxParamLength: 16_384 }, // as long as Node takes a path
    return503OnClosing: false,
    // Gateways keep a connection for a minute: they, not this server, are to close it.
    serverFactory: (answer) => createServer({ keepAliveTimeout: 75_000 }, observed(answer)),
    clientErrorHandler: answerBroken,
    frameworkErrors: (_, request, reply) => answerError(nothingAt(request.url), request, reply),
  });
  app.setErrorHandler(answerError);
  app.setValidatorCompiler(compileSchema);
  app.setSerializerCompiler(() => JSON.stringify); // the compiler has checked what goes out
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, parseJson);
  app.addHook("onRequest", async (request) => {
    // Without the second half a / too many would be an empty placeholder.
    if (request.is404 || Object.values(request.params as object).includes("")) {
      throw nothingAt(request.url);
    }
    noteRoute(request.raw, request.routeOptions.url ?? "");
  });
  app.addHook("onSend", async (_, reply) => {
    if (!app.server.listening) {
      reply.header("connection", "close"); // or it would be kept until the limit
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
  refuseOtherMethods(app, paths);
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

/** Answer OPTIONS and the methods that a path does not have: both say which it has. */
function refuseOtherMethods(app: FastifyInstance, paths: Map<string, Set<string>>): void {
  const known = METHODS.filter((method) => method !== "CONNECT");
  for (const method of known.filter((method) => !app.supportedMethods.includes(method))) {
    app.addHttpMethod(method);
  }
  for (const [url, methods] of [...paths]) {
    const headers = { allow: [...methods].sort().join(", ") };
    const schema = { hide: true };
    const refuse = async () => {
      throw new Refusal(405, "This path does not have this method.", undefined, headers);
    };
    app.options(url, { schema }, (_, reply) => reply.code(204).headers(headers).send());
    const method = known.filter((method) => !methods.has(method));
    app.route({ method, url, schema, onRequest: refuse, handler: refuse });
  }
}

/** Serve until a signal says to stop. */
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
  await listen(app.server, settings.port);
  const [signal] = await stop;
  readiness.stopping = true;
  // Gateways learn late that a replica stops: one that refuses at once loses their requests.
  // Ctrl-C comes from somebody who will not wait.
  await setTimeout(signal === "SIGTERM" ? settings.drainSeconds * 1000 : 0);
  await close(app.server);
  await Promise.race([tracing.shutdown(), setTimeout(FLUSH)]);
  process.exit();
}

/** Listen on all interfaces, with IPv6 where the machine has it. */
async function listen(server: Server, port: number): Promise<void> {
  server.listen({ port, backlog: 2048 });
  try {
    await once(server, "listening");
  } catch (error) {
    throw new ConfigurationError(`PORT: ${error instanceof Error ? error.message : error}`);
  }
}

/** Refuse new connections, and let what is in flight finish. */
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
