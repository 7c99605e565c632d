/**
 * `node src/main.ts` serves. The argument `migrate` applies the database migrations, and `openapi`
 * prints the OpenAPI document.
 */

import { ConfigurationError } from "./config.ts";
import "./telemetry.ts";

const command = process.argv.slice(2).join(" ");
if (command === "" || command === "openapi") {
  const { describe, serve } = await import("./server.ts");
  const { openService } = await import("./service.ts");
  if (command === "") {
    await serve(openService);
  } else {
    console.log(JSON.stringify(await describe(openService), undefined, 2));
  }
} else if (command === "migrate") {
  const { migrate } = await import("./migrate.ts");
  await migrate();
} else {
  throw new ConfigurationError(
    `unknown command ${command}: use migrate, openapi, or no argument to serve`,
  );
}
