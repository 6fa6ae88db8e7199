// GroupNorm backward, sums over space: sums: (N, C, 2) = Σ d, Σ d · x̂, with x̂ = (x − mean) · rstd and
// d = dy, zero where RELU cut the output (which is found from x, not read from y).
// x, dy: (N, C, S) in vectors V, dy may be a channel view. One workgroup per (n, c).
alias V = vec4f; // or f32; f16 likewise: as stored
alias F = vec4f; // or f32: as computed
@group(0) @binding(0) var<storage, read> x: array<V>;
@group(0) @binding(1) var<storage, read> dy: array<V>;
@group(0) @binding(2) var<storage, read> stats: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read_write> sums: array<f32>;

struct Args {
  N: u32,
  C: u32,
  S: u32,
  CG: u32,
  DY_CT: u32,
  DY_C0: u32,
}
@group(0) @binding(6) var<uniform> args: Args;

const WIDTH: u32 = 4u; // elements of V
const RELU: bool = true;
const WG: u32 = 64u;
const ROWS: u32 = 8u;

var<workgroup> partial: array<vec2f, WG>;
var<workgroup> rows: array<vec2f, ROWS>;

fn components(v: F) -> f32 {
  // shared: components
  // vec4f(f32) repeats it.
  return dot(vec4f(v), vec4f(f32(WIDTH) / 4.0));
  // end
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let nc = wid.y * nwg.x + wid.x;
  if (nc >= args.N * args.C) {
    return;
  }
  let c = nc % args.C;
  let mean = stats[2u * (nc / args.CG)];
  let rstd = stats[2u * (nc / args.CG) + 1u];
  let scale = rstd * weight[c];
  let shift = bias[c];
  let dyBase = ((nc / args.C) * args.DY_CT + args.DY_C0 + c) * args.S;
  var sum = F();
  var product = F();
  for (var i = lane; i < args.S; i += WG) {
    let centred = F(x[nc * args.S + i]) - mean;
    var d = F(dy[dyBase + i]);
    if (RELU) {
      d = select(F(), d, centred * scale + shift > F());
    }
    sum += d;
    product += d * centred;
  }
  partial[lane] = vec2f(components(sum), components(product) * rstd);
  workgroupBarrier();
  // shared: rows_of_pairs
  if (lane < ROWS) {
    var row = vec2f();
    for (var i = lane; i < WG; i += ROWS) {
      row += partial[i];
    }
    rows[lane] = row;
  }
  workgroupBarrier();
  // end
  if (lane == 0u) {
    var all = vec2f();
    for (var i = 0u; i < ROWS; i++) {
      all += rows[i];
    }
    sums[2u * nc] = all.x;
    sums[2u * nc + 1u] = all.y;
  }
}
