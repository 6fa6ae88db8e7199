// Connected components (6 neighbours) of each patch.  labels: (N, D, H, W), part of an object where
// above 0.5; roots: (N, D·H·W) = the first voxel of the voxel's component, NONE outside.
// One workgroup per patch: a forest in place of the roots, whose trees are merged by atomicMin without
// locks (Komura 2015) and then flattened. The root of a finished tree is its least voxel, in whatever
// order the threads came.
@group(0) @binding(0) var<storage, read> labels: array<f32>;
@group(0) @binding(1) var<storage, read_write> roots: array<atomic<u32>>;

struct Args {
  N: u32,
  D: u32,
  H: u32,
  W: u32,
}
@group(0) @binding(2) var<uniform> args: Args;

const WG: u32 = 256u;
const NONE: u32 = 0xffffffffu;

fn find(base: u32, voxel: u32) -> u32 {
  var at = voxel;
  var parent = atomicLoad(&roots[base + at]);
  while (parent != at) {
    at = parent;
    parent = atomicLoad(&roots[base + at]);
  }
  return at;
}

fn merge(base: u32, one: u32, other: u32) {
  var a = find(base, one);
  var b = find(base, other);
  while (a != b) {
    let high = max(a, b);
    let low = min(a, b);
    // A root hangs itself under the lower one. If it was no root any more, what it hangs under is
    // merged instead: the higher of the two shrinks every time.
    let before = atomicMin(&roots[base + high], low);
    if (before == high) {
      return;
    }
    a = find(base, before);
    b = find(base, low);
  }
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let n = wid.y * nwg.x + wid.x;
  if (n >= args.N) {
    return;
  }
  let plane = args.H * args.W;
  let count = args.D * plane;
  let base = n * count;
  for (var i = lane; i < count; i += WG) {
    atomicStore(&roots[base + i], select(NONE, i, labels[base + i] > 0.5));
  }
  storageBarrier();
  for (var i = lane; i < count; i += WG) {
    if (labels[base + i] > 0.5) {
      if (i % args.W > 0u && labels[base + i - 1u] > 0.5) {
        merge(base, i, i - 1u);
      }
      if (i % plane >= args.W && labels[base + i - args.W] > 0.5) {
        merge(base, i, i - args.W);
      }
      if (i >= plane && labels[base + i - plane] > 0.5) {
        merge(base, i, i - plane);
      }
    }
  }
  storageBarrier();
  for (var i = lane; i < count; i += WG) {
    if (labels[base + i] > 0.5) {
      atomicStore(&roots[base + i], find(base, i));
    }
  }
}
