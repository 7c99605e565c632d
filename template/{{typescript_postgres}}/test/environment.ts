/** The environment of the service in tests. Add the settings that it needs besides. */

import { database, skip } from "./database.ts";

export { skip };
export const environment: Record<string, string> = { ...database };
