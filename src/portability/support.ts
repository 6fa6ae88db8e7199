/** Says why an adapter cannot run a variant, by asking what would have to be different. */
import type { Capabilities } from "../core/kernel";
import type { Variant } from "../core/variant";

interface Change {
  readonly caps: Partial<Capabilities>;
  readonly needs: string;
  readonly has: (caps: Capabilities) => string;
}

const MATRIX = { M: 16, N: 16, K: 16, component: "f16", result: "f32" };

const lanes = (size: number): Change => ({
  caps: { subgroupSize: size },
  needs: `subgroups of ${size}`,
  has: ({ subgroupSize }) => (subgroupSize === null ? "none of one size" : `${subgroupSize}`),
});
const room = (bytes: number): Change => ({
  caps: { maxWorkgroupBytes: bytes },
  needs: `${bytes / 1024} KiB of workgroup memory`,
  has: ({ maxWorkgroupBytes }) => `${maxWorkgroupBytes / 1024} KiB`,
});
const threads = (count: number): Change => ({
  caps: { maxInvocations: count },
  needs: `${count} invocations a workgroup`,
  has: ({ maxInvocations }) => `${maxInvocations}`,
});

const CHANGES: readonly Change[] = [
  ...[4, 8, 16, 32, 64].map(lanes),
  ...[32768, 49152, 65536].map(room),
  ...[512, 1024].map(threads),
  { caps: { shaderF16: true }, needs: "shader-f16", has: ({ shaderF16 }) => `${shaderF16}` },
  {
    caps: { subgroupMatrices: [MATRIX] },
    needs: "subgroup matrices of 16×16×16 (f16 to f32)",
    has: ({ subgroupMatrices }) => (subgroupMatrices.length === 0 ? "none" : "others"),
  },
];

/** One line: what the variant needs and what the adapter has of it. */
export function whyNot({ supported }: Pick<Variant, "supported">, caps: Capabilities): string {
  for (let size = 1; size <= 5; size++) {
    const found = combination(size, 0, caps, [], supported);
    if (!found) continue;
    return found.map(({ needs, has }) => `needs ${needs}, the adapter has ${has(caps)}`).join("; ");
  }
  return "needs what this adapter has not";
}

function combination(
  size: number,
  from: number,
  caps: Capabilities,
  taken: readonly Change[],
  supported: Variant["supported"],
): readonly Change[] | undefined {
  if (size === 0) return supported(caps) ? taken : undefined;
  for (let i = from; i < CHANGES.length; i++) {
    const change = CHANGES[i]!;
    const changed = { ...caps, ...change.caps };
    const found = combination(size - 1, i + 1, changed, [...taken, change], supported);
    if (found) return found;
  }
  return undefined;
}
