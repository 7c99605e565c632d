/** `node src/main.ts` serves; `node src/main.ts migrate` brings the database up to date. */

import { ConfigurationError } from "./config.ts";
import "./telemetry.ts";

const command = process.argv.slice(2).join(" ");
if (command === "") {
  const { serve } = await import("./server.ts");
  await serve();
} else if (command === "migrate") {
  const { migrate } = await import("./migrate.ts");
  await migrate();
} else {
  throw new ConfigurationError(`there is no command ${command}: write migrate, or nothing`);
}
