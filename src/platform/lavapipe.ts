import { existsSync } from "node:fs";
import { DriverUnavailable, type VulkanFiles } from "./driver";
export async function lavapipe(_quiet: boolean): Promise<VulkanFiles> {
  if (existsSync("/tmp/lvp/lvp.json"))
    return {
      loader: "/tmp/lvp/root/usr/lib/x86_64-linux-gnu/libvulkan.so.1",
      icd: "/tmp/lvp/lvp.json",
      libraries: [],
    };
  throw new DriverUnavailable("not yet");
}
