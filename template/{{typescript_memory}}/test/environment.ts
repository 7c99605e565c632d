/** The environment of the service in tests; memory needs no variables. */

import { settings } from "./settings.ts";

export const skip = false;
export const environment: Record<string, string> = { ...settings };
