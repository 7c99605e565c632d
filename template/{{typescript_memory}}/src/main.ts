/** `node src/main.ts` serves; `node src/main.ts migrate` does nothing without a database. */

import { ConfigurationError } from "./config.ts";
import { serve } from "./server.ts";

const command = process.argv.slice(2).join(" ");
if (command === "") {
  await serve();
} else if (command !== "migrate") {
  throw new ConfigurationError(`unknown command ${command}: use migrate, or no argument to serve`);
}
