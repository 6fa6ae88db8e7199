// total /= countZ · countY · countX: the mean over the windows that cover a voxel, whose number is
// the product of the numbers along the axes.  total: (PLANES, H, W), its first plane is plane args.z0
// of the volume; count_z: (D); count_y: (H); count_x: (W).
@group(0) @binding(0) var<storage, read_write> total: array<f32>;
@group(0) @binding(1) var<storage, read> count_z: array<f32>;
@group(0) @binding(2) var<storage, read> count_y: array<f32>;
@group(0) @binding(3) var<storage, read> count_x: array<f32>;

struct Args {
  z0: u32,
}
@group(0) @binding(4) var<uniform> args: Args;

const PLANES: u32 = 8u;
const H: u32 = 8u;
const W: u32 = 8u;
const WG: u32 = 64u;
const VPT: u32 = 8u;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  // A thread does a column of VPT planes: the counts of y and x are read once.
  let column = (wid.y * nwg.x + wid.x) * WG + lane;
  let pixel = column % (H * W);
  let first = column / (H * W) * VPT;
  let count = count_y[pixel / W] * count_x[pixel % W];
  for (var z = first; z < min(first + VPT, PLANES); z++) {
    let i = z * (H * W) + pixel;
    total[i] /= count_z[args.z0 + z] * count;
  }
}
