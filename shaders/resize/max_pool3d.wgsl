// Max pooling 2×2×2, stride 2.  x: (N, C, D, H, W), may be a channel view; y, argmax:
// (N, C, D/2, H/2, W/2), sizes rounded down. argmax: which of the eight, 4·dz + 2·dy + dx, the
// first in that order among equals. One thread per output.
alias T = f32; // or f16
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read_write> y: array<T>;
@group(0) @binding(2) var<storage, read_write> argmax: array<u32>;

const N: u32 = 2u;
const C: u32 = 4u;
const D: u32 = 4u;
const H: u32 = 4u;
const W: u32 = 4u;
const X_CT: u32 = 4u;
const X_C0: u32 = 0u;
const WG: u32 = 64u;

const OD: u32 = D / 2u;
const OH: u32 = H / 2u;
const OW: u32 = W / 2u;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let o = (wid.y * nwg.x + wid.x) * WG + lane;
  if (o >= N * C * OD * OH * OW) {
    return;
  }
  let ox = o % OW;
  let oy = o / OW % OH;
  let oz = o / (OW * OH) % OD;
  let nc = o / (OW * OH * OD);
  let plane = (nc / C) * X_CT + X_C0 + nc % C;
  let corner = ((plane * D + 2u * oz) * H + 2u * oy) * W + 2u * ox;
  var best = x[corner];
  var which = 0u;
  for (var k = 1u; k < 8u; k++) {
    let v = x[corner + ((k >> 2u) * H + ((k >> 1u) & 1u)) * W + (k & 1u)];
    if (v > best) {
      best = v;
      which = k;
    }
  }
  y[o] = best;
  argmax[o] = which;
}
