/** Values in tests for the settings that this service requires. */

export const settings: Record<string, string> = {};
