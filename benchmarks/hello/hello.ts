// The least that Fastify can answer.
import { fastify } from "fastify";

const app = fastify();
app.get("/hello", async () => ({ message: "hello" }));
await app.listen({ host: "0.0.0.0", port: 8080 });
