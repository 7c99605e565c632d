/** The environment of the service in tests. Add the settings that it needs. */

export const skip = false;
export const environment: Record<string, string> = {};
