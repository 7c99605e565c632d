/**
 * `node src/main.ts` serves. The argument `migrate` applies the database migrations, `openapi`
 * prints the OpenAPI document, and the name of a job runs that job.
 */

import "./telemetry.ts";

const command = process.argv.slice(2).join(" ");
if (command === "migrate") {
  const { migrate } = await import("./migrate.ts");
  await migrate();
} else {
  const { describe, runJob, serve } = await import("./server.ts");
  const { openService } = await import("./service.ts");
  if (command === "") {
    await serve(openService);
  } else if (command === "openapi") {
    console.log(JSON.stringify(await describe(openService), undefined, 2));
  } else {
    await runJob(openService, command);
  }
}
