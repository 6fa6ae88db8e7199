// dw = Σ of the partial sums that conv3d_matrix_dw left, added to dw when ACCUMULATE.
// parts: (SPLITS, ceil(COUT / 16 / COB) · COB, ceil(CIN / 16), 27, 16, 16); dw: (COUT, CIN, 27).
// A workgroup does ELEMENTS elements side by side in parts: SHARES threads for each of them sum every
// SHARES-th split, and one adds those up in order.
@group(0) @binding(0) var<storage, read> parts: array<f32>;
@group(0) @binding(1) var<storage, read_write> dw: array<f32>;

struct Args {
  CIN: u32,
  COUT: u32,
  SPLITS: u32,
  COUNT: u32, // of a split
}
@group(0) @binding(2) var<uniform> args: Args;

const ELEMENTS: u32 = 32u;
const SHARES: u32 = 8u;
const ACCUMULATE: bool = false;
const WG: u32 = ELEMENTS * SHARES;

var<workgroup> sums: array<f32, WG>;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (wid.y * nwg.x + wid.x) * ELEMENTS + lane % ELEMENTS;
  var sum = 0.0;
  for (var s = lane / ELEMENTS; s < args.SPLITS; s += SHARES) {
    sum += parts[s * args.COUNT + min(i, args.COUNT - 1u)];
  }
  sums[lane] = sum;
  workgroupBarrier();
  let blocks = (args.CIN + 15u) / 16u;
  let pair = i / (27u * 256u);
  let co = pair / blocks * 16u + i / 16u % 16u;
  let ci = pair % blocks * 16u + i % 16u;
  if (lane >= ELEMENTS || i >= args.COUNT || co >= args.COUT || ci >= args.CIN) {
    return;
  }
  for (var k = 1u; k < SHARES; k++) {
    sum += sums[k * ELEMENTS + lane];
  }
  let to = (co * args.CIN + ci) * 27u + i / 256u % 27u;
  if (ACCUMULATE) {
    sum += dw[to];
  }
  dw[to] = sum;
}
