/** Runs the service as in production: as a process with environment variables. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { after } from "node:test";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { CALLEES } from "../src/config.ts";

const MAIN = new URL("../src/main.ts", import.meta.url);
/** A service with the server of this one, and with routes, tasks and jobs for its tests. */
export const TEST_SERVICE = new URL("test-service.ts", import.meta.url);
/** Ends the service when the process of the tests ends: only that has the other end of stdin. */
const WATCH =
  "data:text/javascript,process.stdin.on('end', () => process.exit(1)).resume().unref()";
const UNREACHABLE = Object.fromEntries(
  Object.values(CALLEES).map((variable) => [variable, "http://127.0.0.1:1"]),
);

type Variables = Record<string, string>;

const started: ChildProcess[] = [];
after(() => {
  for (const child of started) {
    child.kill("SIGKILL");
  }
});

/** A process of the service and its log. A URL as first argument is another program. */
export class Running {
  readonly process: ChildProcess;
  log = "";

  constructor(environment: Variables, ...args: (string | URL)[]) {
    const env = { ...process.env, ...UNREACHABLE, ...environment };
    const program = args[0] instanceof URL ? args : [MAIN, ...args];
    const words = program.map((word) => (word instanceof URL ? fileURLToPath(word) : word));
    this.process = spawn(process.execPath, ["--import", WATCH, ...words], {
      env,
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.process.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.log += text;
    });
    started.push(this.process);
  }

  get lines(): Record<string, unknown>[] {
    return this.log
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  }

  async exited(): Promise<number | null> {
    const [code] = await once(this.process, "close");
    return code;
  }
}

/** A ready service. */
export class Service extends Running {
  readonly url: string;

  private constructor(environment: Variables, port: number, main: URL) {
    super({ ...environment, PORT: String(port) }, main);
    this.url = `http://127.0.0.1:${port}`;
  }

  static async started(environment: Variables, main = MAIN): Promise<Service> {
    const service = new Service(environment, await freePort(), main);
    for (let tries = 0; tries < 200 && service.process.exitCode === null; tries++) {
      const response = await service.ask("GET", "/readyz").catch(() => undefined);
      if (response?.ok) {
        return service;
      }
      await setTimeout(50);
    }
    throw new Error(`the service is not ready: ${service.log}`);
  }

  ask(method: string, path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(this.url + path, { method, ...init });
  }

  send(path: string, body: string, type = "application/json"): Promise<Response> {
    return this.ask("POST", path, { body, headers: { "Content-Type": type } });
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  return typeof address === "object" && address ? address.port : 0;
}
