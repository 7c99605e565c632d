/** A service with the server of this one, and with routes, tasks and jobs for its tests. */

import { setTimeout } from "node:timers/promises";
import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import { Type } from "typebox";
import { responseOf, shared } from "../src/schemas.ts";
import { type OpenService, runJob, serve } from "../src/server.ts";
import { log } from "../src/telemetry.ts";

const MIB = 1024 * 1024;

const Note = Type.Object(
  { text: Type.String({ minLength: 1 }) },
  { $id: "Note", additionalProperties: false },
);

const routes: FastifyPluginAsyncTypebox = async (app) => {
  const querystring = Type.Object({ limit: Type.Optional(Type.Integer({ minimum: 1 })) });
  app.get("/notes", { schema: { querystring } }, async (request) => request.query);
  app.post(
    "/notes",
    { schema: { body: shared(Note), response: { 201: responseOf(Note) } } },
    async (request, reply) => {
      const row = { ...request.body, password: "secret" };
      return reply.code(201).send(row);
    },
  );
  app.addContentTypeParser(
    "text/csv",
    { parseAs: "string" },
    async (_: unknown, body: string) => body,
  );
  app.post("/files", { bodyLimit: 2 * MIB }, async (request) => {
    return { length: String(request.body).length };
  });
};

const openService: OpenService = (environment) => {
  const pause = environment.number("PAUSE", 0, 0, 10);
  let closed = false;
  const fails = environment.oneOf("TASK", "waits", ["waits", "fails"]) === "fails";
  return {
    schemas: [Note],
    routes: async (app) => {
      await app.register(routes);
    },
    tasks: {
      sweep: async (signal) => {
        if (fails) {
          throw new Error("out of space");
        }
        log.info("the sweep begins");
        await setTimeout(60_000, undefined, { signal }).catch(() => {});
        await setTimeout(pause * 1000);
        log.info("the sweep ends");
      },
    },
    jobs: {
      report: async () => {
        log.info("printed");
      },
      wait: async (signal) => {
        log.info("waiting");
        await setTimeout(60_000, undefined, { signal });
      },
    },
    checks: {
      disk: async () => {
        if (closed) {
          throw new Error("closed");
        }
      },
    },
    close: async () => {
      closed = true;
      log.info("closed");
      await setTimeout(pause * 1100); // longer than the time between two checks
      process.once("exit", () => log.info("a line after the end"));
    },
  };
};

const job = process.argv[2];
await (job ? runJob(openService, job) : serve(openService));
