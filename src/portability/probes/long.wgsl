// x ← 1664525 · x + 1013904223, TURNS times in every invocation: what it comes to is known without
// doing it. y: (GROUPS · WG).
@group(0) @binding(0) var<storage, read_write> y: array<u32>;

struct Args {
  turns: u32,
}
@group(0) @binding(1) var<uniform> args: Args;

const WG: u32 = 64u;
const COUNT: u32 = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = wid.x * WG + lane;
  var x = i;
  for (var turn = 0u; turn < args.turns; turn++) {
    x = 1664525u * x + 1013904223u;
  }
  if (i < COUNT) {
    y[i] = x;
  }
}
