// Max pooling backward: dx is dy where argmax points, else zero.  dx: (N, C, D, H, W); dy, argmax:
// (N, C, D/2, H/2, W/2), dy may be a channel view. One thread per 2×2×2 cell of dx; cells at odd
// ends have no output and are zero.
alias T = f32; // or f16
@group(0) @binding(0) var<storage, read> dy: array<T>;
@group(0) @binding(1) var<storage, read> argmax: array<u32>;
@group(0) @binding(2) var<storage, read_write> dx: array<T>;

const N: u32 = 2u;
const C: u32 = 4u;
const D: u32 = 4u;
const H: u32 = 4u;
const W: u32 = 4u;
const DY_CT: u32 = 4u;
const DY_C0: u32 = 0u;
const WG: u32 = 64u;

const CD: u32 = (D + 1u) / 2u;
const CH: u32 = (H + 1u) / 2u;
const CW: u32 = (W + 1u) / 2u;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let cell = (wid.y * nwg.x + wid.x) * WG + lane;
  if (cell >= N * C * CD * CH * CW) {
    return;
  }
  let at = vec3u(cell % CW, cell / CW % CH, cell / (CW * CH) % CD);
  let nc = cell / (CW * CH * CD);
  var d = T();
  var which = 8u;
  if (all(at < vec3u(W / 2u, H / 2u, D / 2u))) {
    let o = (at.z * (H / 2u) + at.y) * (W / 2u) + at.x;
    let size = (D / 2u) * (H / 2u) * (W / 2u);
    d = dy[((nc / C) * DY_CT + DY_C0 + nc % C) * size + o];
    which = argmax[nc * size + o];
  }
  for (var k = 0u; k < 8u; k++) {
    let p = 2u * at + vec3u(k & 1u, (k >> 1u) & 1u, k >> 2u);
    if (all(p < vec3u(W, H, D))) {
      dx[((nc * D + p.z) * H + p.y) * W + p.x] = select(T(), d, k == which);
    }
  }
}
