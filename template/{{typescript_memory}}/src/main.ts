/** `node src/main.ts` serves; `node src/main.ts migrate` has nothing to bring up to date. */

import { ConfigurationError } from "./config.ts";
import { serve } from "./server.ts";

const command = process.argv.slice(2).join(" ");
if (command === "") {
  await serve();
} else if (command !== "migrate") {
  throw new ConfigurationError(`there is no command ${command}: write migrate, or nothing`);
}
