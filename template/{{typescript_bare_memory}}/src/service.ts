/** The parts of this service that the server runs. Register your own here. */

import type { OpenService } from "./server.ts";

export const openService: OpenService = () => {
  return {
    routes: async () => {},
  };
};
