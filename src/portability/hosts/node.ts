/** Dawn in Node: the node of the path, with the npm package `webgpu` of the project. */
import { MODULES } from "./bun";
import { answerOf, packageVersion, Unavailable } from "./packages";
import { processHost } from "./process_host";

/** The first that has all that the bundle needs. */
const OLDEST = 20;

export const node = processHost("node", async () => {
  const path = Bun.which("node");
  if (!path) throw new Unavailable("no node on the path; install Node 20 or newer");
  const print = "process.versions.bun ? 'Bun' : process.versions.node";
  const version = await answerOf([path, "-p", print]);
  if (!(Number.parseInt(version, 10) >= OLDEST)) {
    throw new Unavailable(`the node on the path is ${version}; Node ${OLDEST} or newer is needed`);
  }
  const webgpu = await packageVersion(MODULES, "webgpu");
  return { command: [path], versions: { node: version, webgpu } };
});
