/** `node src/main.ts` serves; `node src/main.ts migrate` applies the database migrations. */

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
  throw new ConfigurationError(`unknown command ${command}: use migrate, or no argument to serve`);
}
