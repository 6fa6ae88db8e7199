enable f16;

// Weights of a 3×3×3 convolution as conv3d_matrix.wgsl reads them, rounded to f16.
// w: (COUT, CIN, 3, 3, 3); wp: (ceil(COUT / 16), ceil(CIN / 16), z, x, y, 16, 16): for each tap a
// matrix of 16 output by 16 input channels, zeros beyond. TRANSPOSED packs for the gradient of the
// input, as conv3d_pack.wgsl.
@group(0) @binding(0) var<storage, read> w: array<f32>;
@group(0) @binding(1) var<storage, read_write> wp: array<f16>;

struct Args {
  CIN: u32,
  COUT: u32,
}
@group(0) @binding(2) var<uniform> args: Args;

const TRANSPOSED: bool = false;
const WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (wid.y * nwg.x + wid.x) * WG + lane;
  let chunks = (args.CIN + 15u) / 16u;
  let block = i / (chunks * 27u * 256u);
  if (block >= (args.COUT + 15u) / 16u) {
    return;
  }
  let ci = i / (27u * 256u) % chunks * 16u + i % 16u;
  let co = block * 16u + i / 16u % 16u;
  let m = i / 256u % 27u;
  let t = m / 9u * 9u + m % 3u * 3u + m / 3u % 3u;
  let at = select((co * args.CIN + ci) * 27u + t, (ci * args.COUT + co) * 27u + 26u - t, TRANSPOSED);
  let inside = ci < args.CIN && co < args.COUT;
  wp[i] = f16(select(0.0, w[select(0u, at, inside)], inside));
}
