// One small step of many, each on what the one before wrote: b[i] = 1664525 · a[i + 1] + k.
@group(0) @binding(0) var<storage, read> a: array<u32>;
@group(0) @binding(1) var<storage, read_write> b: array<u32>;

struct Args {
  k: u32,
}
@group(0) @binding(2) var<uniform> args: Args;

const WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(local_invocation_index) lane: u32) {
  b[lane] = 1664525u * a[(lane + 1u) % WG] + args.k;
}
