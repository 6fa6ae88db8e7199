/** Compiles the snippet of each message, and answers with the implementation's verdict. */
import type { Device } from "../../../gpu/device";
import { SNIPPETS } from "./snippets";

export async function serve(
  device: Device,
  receive: AsyncIterable<unknown>,
  reply: (message: unknown) => void,
): Promise<void> {
  for await (const name of receive) reply(await refusal(device, SNIPPETS[name as string]!));
}

/** The first complaint, or "". */
async function refusal({ device }: Device, code: string): Promise<string> {
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ code });
  const { messages } = await module.getCompilationInfo();
  let failure = messages.find(({ type }) => type === "error")?.message ?? "";
  try {
    await device.createComputePipelineAsync({ layout: "auto", compute: { module } });
  } catch (error) {
    failure ||= (error as Error).message;
  }
  const invalid = await device.popErrorScope();
  return failure || invalid?.message || "";
}
