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
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (wid.y * nwg.x + wid.x) * WG + lane;
  let row = u32(step_values[3]);
  if (i < args.COUNT && row < args.K) {
    log_rows[row * args.WIDTH + args.COLUMN + i] = values[i];
  }
}
