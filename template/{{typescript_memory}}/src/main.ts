/**
 * `node src/main.ts` serves. The argument `openapi` prints the OpenAPI document, and the name of a
 * job runs that job.
 */

import { describe, runJob, serve } from "./server.ts";
import { openService } from "./service.ts";

const command = process.argv.slice(2).join(" ");
if (command === "") {
  await serve(openService);
} else if (command === "openapi") {
  console.log(JSON.stringify(await describe(openService), undefined, 2));
} else if (command !== "migrate") {
  // Without a database, there is nothing to migrate.
  await runJob(openService, command);
}
