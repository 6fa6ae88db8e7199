// GroupNorm backward, from the sums (N, C, 2) = Σ d, Σ d · x̂ of each channel: dbias, dweight: (C),
// added up over n in order (ACC_*: on top of what is there), and the means of w·d and w·d·x̂ over
// each group of M elements, means: (N, G, 2). Thread i does channel i and group i.
@group(0) @binding(0) var<storage, read> sums: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> means: array<f32>;
@group(0) @binding(3) var<storage, read_write> dweight: array<f32>;
@group(0) @binding(4) var<storage, read_write> dbias: array<f32>;

struct Args {
  N: u32,
  C: u32,
  CG: u32,
  M: u32,
}
@group(0) @binding(5) var<uniform> args: Args;

const ACC_WEIGHT: bool = false;
const ACC_BIAS: bool = false;
const WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x;
  if (i < args.C) {
    var sum = vec2f();
    for (var n = 0u; n < args.N; n++) {
      let at = 2u * (n * args.C + i);
      sum += vec2f(sums[at], sums[at + 1u]);
    }
    if (ACC_BIAS) {
      sum.x += dbias[i];
    }
    if (ACC_WEIGHT) {
      sum.y += dweight[i];
    }
    dbias[i] = sum.x;
    dweight[i] = sum.y;
  }
  if (i < args.N * args.C / args.CG) {
    var sum = vec2f();
    for (var k = i * args.CG; k < (i + 1u) * args.CG; k++) {
      sum += weight[k % args.C] * vec2f(sums[2u * k], sums[2u * k + 1u]);
    }
    means[2u * i] = sum.x / f32(args.M);
    means[2u * i + 1u] = sum.y / f32(args.M);
  }
}
