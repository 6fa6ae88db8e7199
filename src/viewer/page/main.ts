/** The page of `bun run view`. */
import { App } from "./app";
import { serverSource } from "./server_source";

await new App(serverSource(new URL("./", location.href).href)).start();
