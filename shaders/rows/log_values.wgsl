// Columns [COLUMN, COLUMN + COUNT) of row step[3] of the training log become values.
// values: (COUNT); log: (K, WIDTH).  A row past the end is dropped.  One thread per value.
@group(0) @binding(0) var<storage, read> values: array<f32>;
@group(0) @binding(1) var<storage, read> step_values: array<f32>;
@group(0) @binding(2) var<storage, read_write> log_rows: array<f32>;

struct Args {
  COUNT: u32,
  COLUMN: u32,
  K: u32,
  WIDTH: u32,
}
@group(0) @binding(3) var<uniform> args: Args;

const WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let row = u32(step_values[3]);
  if (gid.x < args.COUNT && row < args.K) {
    log_rows[row * args.WIDTH + args.COLUMN + gid.x] = values[gid.x];
  }
}
