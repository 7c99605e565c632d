/** What the service runs with in tests: memory needs nothing. */

export const skip = false;
export const environment: Record<string, string> = {};
