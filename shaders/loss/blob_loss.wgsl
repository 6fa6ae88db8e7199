// Mean over the lesions of a patch of their Dice losses, each seen without the others.
// logits: (N, S); roots: (N, S) of components.wgsl; parts: (N, S, 4), scratch; loss: (N);
// slopes: (N, S) = what the loss changes by with the voxel's probability.
// Lesion k: I = Σpy, FN = Σ(1 − p)y over its voxels, FP = Σp over the voxels of no lesion;
// (FP + FN) / (2I + FP + FN + ε). A patch without lesions has loss 0.
// One workgroup per patch. A lesion's voxels are anywhere in it, so their p is added up by atomics at
// the lesion's root, in units of 2⁻²⁴ as integers: any order gives the same sum. Bytes of it have
// sums of their own (parts 0 to 2; part 3 counts voxels), so that none overflows.
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> roots: array<u32>;
@group(0) @binding(2) var<storage, read_write> parts: array<atomic<u32>>;
@group(0) @binding(3) var<storage, read_write> loss: array<f32>;
@group(0) @binding(4) var<storage, read_write> slopes: array<f32>;

struct Args {
  N: u32,
  S: u32,
}
@group(0) @binding(5) var<uniform> args: Args;

const EPSILON: f32 = 1e-5f;
const WEIGHT: f32 = 1.0f;
const WG: u32 = 256u;
const NONE: u32 = 0xffffffffu;

var<workgroup> partial: array<vec4f, WG>;
var<workgroup> total: vec4f;

// 2I + ε and FP + FN of the lesion with this root.
fn lesion(root: u32, fp: f32) -> vec2f {
  let at = root * 4u;
  let inside = f32(atomicLoad(&parts[at])) / 256.0 + f32(atomicLoad(&parts[at + 1u])) / 65536.0
    + f32(atomicLoad(&parts[at + 2u])) / 16777216.0;
  return vec2f(2.0 * inside + EPSILON, fp + max(f32(atomicLoad(&parts[at + 3u])) - inside, 0.0));
}

// total = Σ own over the lanes, in their order. The last total may be read until this is called again.
fn add_up(own: vec4f, lane: u32) {
  partial[lane] = own;
  workgroupBarrier();
  if (lane == 0u) {
    var sum = partial[0];
    for (var i = 1u; i < WG; i++) {
      sum += partial[i];
    }
    total = sum;
  }
  workgroupBarrier();
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
  let base = n * args.S;
  for (var i = lane; i < args.S; i += WG) {
    if (roots[base + i] == i) {
      for (var k = 0u; k < 4u; k++) {
        atomicStore(&parts[(base + i) * 4u + k], 0u);
      }
    }
  }
  storageBarrier();
  var own = vec4f(0.0);
  for (var i = lane; i < args.S; i += WG) {
    let x = logits[base + i];
    let e = exp(-abs(x));
    let p = select(e, 1.0, x >= 0.0) / (1.0 + e);
    let root = roots[base + i];
    if (root == NONE) {
      own.x += p;
    } else {
      let units = u32(p * 16777216.0 + 0.5);
      let at = (base + root) * 4u;
      atomicAdd(&parts[at], units >> 16u);
      atomicAdd(&parts[at + 1u], (units >> 8u) & 255u);
      atomicAdd(&parts[at + 2u], units & 255u);
      atomicAdd(&parts[at + 3u], 1u);
    }
  }
  storageBarrier();
  add_up(own, lane);
  let fp = total.x;
  own = vec4f(0.0);
  for (var i = lane; i < args.S; i += WG) {
    if (roots[base + i] == i) {
      let l = lesion(base + i, fp);
      let d = l.x + l.y;
      own += vec4f(l.y / d, l.x / d / d, 1.0, 0.0);
    }
  }
  add_up(own, lane);
  let scale = WEIGHT / max(total.z, 1.0);
  if (lane == 0u) {
    loss[n] = scale * total.x;
  }
  for (var i = lane; i < args.S; i += WG) {
    let root = roots[base + i];
    var slope = scale * total.y;
    if (root != NONE) {
      let l = lesion(base + root, fp);
      let d = l.x + l.y;
      slope = -scale * ((2.0 * l.y + l.x) / d / d);
    }
    slopes[base + i] = slope;
  }
}
