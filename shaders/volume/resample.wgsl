// Samples a volume on another grid.  x: (D, H, W); y: (D2, H2, W2); along each axis output voxel i
// reads coordinate scale · i + offset of x, held at the edges.
// STANDARDISE: y = (sample − mean) · rstd; params: (2) = mean, rstd.
// LINEAR: trilinear; else the voxel at ⌊c⌋ (the host has added the ½ of ⌊c + ½⌋ to the offset).
// Coordinates are fixed point, 32 bits before and 32 after the point, in pieces of 16 bits so that
// products fit: exact but for the rounding of scale and offset, at most i · 2⁻³³ voxels (1e-7 at
// i = 1000; float32 would lose 1e-4 there, and ties of nearest).
// Workgroups: (⌈W2 / WG⌉, H2, ⌈D2 / VPT⌉). A thread does a column of VPT planes and keeps the two
// planes of x that it interpolates between.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> params: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

// Sizes, voxels. By axis z, y, x: whole part (i32 bits), upper and lower 16 bits of the fraction.
struct Args {
  D: u32, H: u32, W: u32,
  D2: u32, H2: u32, W2: u32,
  scale_z: u32, scale_z_high: u32, scale_z_low: u32,
  scale_y: u32, scale_y_high: u32, scale_y_low: u32,
  scale_x: u32, scale_x_high: u32, scale_x_low: u32,
  offset_z: u32, offset_z_high: u32, offset_z_low: u32,
  offset_y: u32, offset_y_high: u32, offset_y_low: u32,
  offset_x: u32, offset_x_high: u32, offset_x_low: u32,
}
@group(0) @binding(3) var<uniform> args: Args;

const LINEAR: bool = true;
const STANDARDISE: bool = false;
const WG: u32 = 64u;
const VPT: u32 = 32u;

struct Sample {
  low: u32,
  high: u32,
  t: f32, // weight of high
}

fn sample(i: u32, scale: vec3u, offset: vec3u, size: u32) -> Sample {
  let low = i * scale.z + offset.z;
  let high = i * scale.y + offset.y + (low >> 16u);
  let whole = bitcast<i32>(i * scale.x + offset.x + (high >> 16u));
  let fraction = f32((high << 16u) | (low & 0xffffu)) * 0x1p-32f;
  let last = i32(size) - 1;
  return Sample(u32(clamp(whole, 0, last)), u32(clamp(whole + 1, 0, last)), fraction);
}

fn plane(z: u32, sy: Sample, sx: Sample) -> f32 {
  let low = (z * args.H + sy.low) * args.W;
  if (!LINEAR) {
    return x[low + sx.low];
  }
  let high = (z * args.H + sy.high) * args.W;
  let a = mix(x[low + sx.low], x[low + sx.high], sx.t);
  let b = mix(x[high + sx.low], x[high + sx.high], sx.t);
  return mix(a, b, sy.t);
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let column = wid.x * WG + lane;
  if (column >= args.W2) {
    return;
  }
  let scale_z = vec3u(args.scale_z, args.scale_z_high, args.scale_z_low);
  let offset_z = vec3u(args.offset_z, args.offset_z_high, args.offset_z_low);
  let sy = sample(
    wid.y,
    vec3u(args.scale_y, args.scale_y_high, args.scale_y_low),
    vec3u(args.offset_y, args.offset_y_high, args.offset_y_low),
    args.H,
  );
  let sx = sample(
    column,
    vec3u(args.scale_x, args.scale_x_high, args.scale_x_low),
    vec3u(args.offset_x, args.offset_x_high, args.offset_x_low),
    args.W,
  );
  var mean = 0.0;
  var rstd = 1.0;
  if (STANDARDISE) {
    mean = params[0];
    rstd = params[1];
  }
  var low_z = args.D; // the planes held in low and high; D: none yet
  var high_z = args.D;
  var low = 0.0;
  var high = 0.0;
  let first = wid.z * VPT;
  for (var z = first; z < min(first + VPT, args.D2); z++) {
    let sz = sample(z, scale_z, offset_z, args.D);
    if (sz.low != low_z) {
      if (LINEAR && sz.low == high_z) {
        low = high;
      } else {
        low = plane(sz.low, sy, sx);
      }
      low_z = sz.low;
    }
    if (LINEAR && sz.high != high_z) {
      high = plane(sz.high, sy, sx);
      high_z = sz.high;
    }
    let value = select(low, mix(low, high, sz.t), LINEAR);
    y[(z * args.H2 + wid.y) * args.W2 + column] = select(value, (value - mean) * rstd, STANDARDISE);
  }
}
