// y[n] = x[n] mirrored along the axes that flips[n] names: bit 0 is x (W), 1 is y (H), 2 is z (D).
// x, y: (N, C, D, H, W); flips: (N).  One thread per element.
alias T = f32; // or f16
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read> flips: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<T>;

struct Args {
  N: u32,
  C: u32,
  D: u32,
  H: u32,
  W: u32,
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
  let row = i / args.W; // of voxels along x
  let plane = row / args.H;
  let channel = plane / args.D;
  if (channel >= args.N * args.C) {
    return;
  }
  let at = vec3u(i % args.W, row % args.H, plane % args.D);
  let flip = (vec3u(flips[channel / args.C]) & vec3u(1u, 2u, 4u)) != vec3u(0u);
  let source = select(at, vec3u(args.W, args.H, args.D) - 1u - at, flip);
  y[i] = x[((channel * args.D + source.z) * args.H + source.y) * args.W + source.x];
}
