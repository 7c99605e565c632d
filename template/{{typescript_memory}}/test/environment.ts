/** The environment of the service in tests; memory needs no variables. */

export const skip = false;
export const environment: Record<string, string> = {};
