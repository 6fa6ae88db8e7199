// total /= weightZ · weightY · weightX: the weighted mean over the windows that cover a voxel. Places
// and weights of windows are products over the axes, and so are the sums of weights.
// total: (PLANES, H, W), its first plane is plane args.z0 of the volume; weight_z: (D); weight_y: (H);
// weight_x: (W).
// Workgroups: (⌈W / WG⌉, H, ⌈PLANES / VPT⌉). A thread does a column of VPT planes: the weights of y
// and x are read once.
@group(0) @binding(0) var<storage, read_write> total: array<f32>;
@group(0) @binding(1) var<storage, read> weight_z: array<f32>;
@group(0) @binding(2) var<storage, read> weight_y: array<f32>;
@group(0) @binding(3) var<storage, read> weight_x: array<f32>;

struct Args {
  z0: u32,
  PLANES: u32,
  H: u32,
  W: u32,
}
@group(0) @binding(4) var<uniform> args: Args;

const WG: u32 = 64u;
const VPT: u32 = 8u;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let column = wid.x * WG + lane;
  if (column >= args.W) {
    return;
  }
  let weight = weight_y[wid.y] * weight_x[column];
  let first = wid.z * VPT;
  for (var z = first; z < min(first + VPT, args.PLANES); z++) {
    total[(z * args.H + wid.y) * args.W + column] /= weight_z[args.z0 + z] * weight;
  }
}
