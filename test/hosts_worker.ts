/** The worker of hosts.test.ts: runs a case of an op, or a short training run, in its own host. */
import type { Device } from "../src/gpu/device";
import { faultsOf } from "../src/portability/op_checks";
import { OpGraph, Rig, trialOf } from "../src/portability/op_run";
import { trainingCurve } from "../src/portability/training";
import { references } from "../src/reference/index";

export type HostsRequest =
  | { readonly do: "case"; readonly op: string; readonly id: string }
  | { readonly do: "train" }
  /** Ends the process, or blocks it for good. */
  | { readonly do: "throw" }
  | { readonly do: "hang" };

export async function serve(
  device: Device,
  receive: AsyncIterable<unknown>,
  reply: (message: unknown) => void,
): Promise<void> {
  const rig = new Rig(device);
  for await (const message of receive) {
    const request = message as HostsRequest;
    switch (request.do) {
      case "case":
        reply(await faults(rig, request.op, request.id));
        break;
      case "train":
        reply(await trainingCurve(device));
        break;
      case "throw":
        throw new RangeError("as asked");
      case "hang":
        for (;;);
      default:
        request satisfies never;
    }
  }
}

async function faults(rig: Rig, op: string, id: string): Promise<readonly string[]> {
  const reference = references.find((each) => each.op.name === op);
  const found = reference?.cases.find((c) => c.id === id);
  if (!reference || !found) throw new Error(`no case ${id} of ${op}`);
  const graph = new OpGraph(trialOf(reference, found), rig.caps, {});
  return faultsOf(graph, await graph.run(rig));
}
