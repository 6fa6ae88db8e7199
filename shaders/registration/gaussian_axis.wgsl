// Correlates a volume with taps along one axis, and keeps every STRIDE-th sample of it from FIRST on.
// x: (OUTER, N, INNER); taps: (2R + 1); y: (OUTER, N2, INNER):
//   y[o, i, j] = Σ_k taps[k] · x[o, clamp(FIRST + i · STRIDE + k − R), j]
// One thread per output element; beyond the ends the last sample is held.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> taps: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

struct Args {
  TOTAL: u32,
  N: u32,
  N2: u32,
  INNER: u32,
  FIRST: u32,
  STRIDE: u32,
  R: u32,
}
@group(0) @binding(3) var<uniform> args: Args;

const WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = (wid.y * nwg.x + wid.x) * WG + lane;
  if (at >= args.TOTAL) {
    return;
  }
  let row = at / args.INNER;
  let base = (row / args.N2) * args.N * args.INNER + at % args.INNER;
  let centre = i32(args.FIRST + (row % args.N2) * args.STRIDE) - i32(args.R);
  let last = i32(args.N) - 1;
  var sum = 0.0;
  for (var k = 0u; k <= 2u * args.R; k++) {
    sum += taps[k] * x[base + u32(clamp(centre + i32(k), 0, last)) * args.INNER];
  }
  y[at] = sum;
}
