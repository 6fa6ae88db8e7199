// Two visits seen from the middle between them: residual, gradient and mean at every point of a grid.
// visit1: (D1, H1, W1); visit2: (D2, H2, W2); pose: (45), see below; samples: (6, D, H, W) =
//   r = a·s1 − b·s2;  gx, gy, gz = W1·∇a + W2·∇b;  m = ½(a·s1 + b·s2);  1 where the point counts, else 0.
// a and b are trilinear, and ∇ is the gradient of the interpolation, per voxel. A point counts where it
// lies inside both visits and one of them is brighter than the threshold, and under MASKED where the
// mask (D, H, W) is not 0; elsewhere all six are 0.
// One thread per point. Symmetric registration: Reuter et al. 2010, eq. 5 and 8.
@group(0) @binding(0) var<storage, read> visit1: array<f32>;
@group(0) @binding(1) var<storage, read> visit2: array<f32>;
// 0–11, 12–23: rows of the 3 × 4 matrices from a point's index to a voxel of visit 1, of visit 2;
// 24–32, 33–41: rows of W1, W2; 42, 43: s1, s2; 44: the threshold.
@group(0) @binding(2) var<storage, read> pose: array<f32>;
@group(0) @binding(3) var<storage, read> mask: array<f32>;
@group(0) @binding(4) var<storage, read_write> samples: array<f32>;

struct Args {
  D: u32, H: u32, W: u32,
  D1: u32, H1: u32, W1: u32,
  D2: u32, H2: u32, W2: u32,
}
@group(0) @binding(5) var<uniform> args: Args;

const MASKED: bool = false;
const WG: u32 = 64u;

fn placed(first: u32, p: vec3f) -> vec3f {
  return vec3f(
    pose[first] * p.x + pose[first + 1u] * p.y + pose[first + 2u] * p.z + pose[first + 3u],
    pose[first + 4u] * p.x + pose[first + 5u] * p.y + pose[first + 6u] * p.z + pose[first + 7u],
    pose[first + 8u] * p.x + pose[first + 9u] * p.y + pose[first + 10u] * p.z + pose[first + 11u],
  );
}

fn turned(first: u32, g: vec3f) -> vec3f {
  return vec3f(
    pose[first] * g.x + pose[first + 1u] * g.y + pose[first + 2u] * g.z,
    pose[first + 3u] * g.x + pose[first + 4u] * g.y + pose[first + 5u] * g.z,
    pose[first + 6u] * g.x + pose[first + 7u] * g.y + pose[first + 8u] * g.z,
  );
}

fn inside(u: vec3f, size: vec3u) -> bool {
  return all(u >= vec3f(0.0)) && all(u <= vec3f(size - vec3u(1u)));
}

// Gradient (x, y, z) and value of the trilinear interpolation of the eight corners of a cell.
fn interpolated(low: vec4f, high: vec4f, t: vec3f) -> vec4f {
  let dx = vec4f(low.yw - low.xz, high.yw - high.xz);
  let along = vec4f(low.xz, high.xz) + dx * t.x;
  let dy = along.yw - along.xz;
  let across = along.xz + dy * t.y;
  let gx = mix(mix(dx.x, dx.y, t.y), mix(dx.z, dx.w, t.y), t.z);
  return vec4f(gx, mix(dy.x, dy.y, t.z), across.y - across.x, mix(across.x, across.y, t.z));
}

struct Cell {
  at: u32,
  row: u32,
  plane: u32,
  t: vec3f,
}

fn cell(u: vec3f, size: vec3u) -> Cell {
  let low = min(vec3u(u), max(size, vec3u(2u)) - vec3u(2u));
  let at = (low.z * size.y + low.y) * size.x + low.x;
  return Cell(at, size.x, size.x * size.y, u - vec3f(low));
}

fn sample1(u: vec3f, size: vec3u) -> vec4f {
  let c = cell(u, size);
  let a = c.at;
  let b = c.at + c.plane;
  let low = vec4f(visit1[a], visit1[a + 1u], visit1[a + c.row], visit1[a + c.row + 1u]);
  let high = vec4f(visit1[b], visit1[b + 1u], visit1[b + c.row], visit1[b + c.row + 1u]);
  return interpolated(low, high, c.t);
}

fn sample2(u: vec3f, size: vec3u) -> vec4f {
  let c = cell(u, size);
  let a = c.at;
  let b = c.at + c.plane;
  let low = vec4f(visit2[a], visit2[a + 1u], visit2[a + c.row], visit2[a + c.row + 1u]);
  let high = vec4f(visit2[b], visit2[b + 1u], visit2[b + c.row], visit2[b + c.row + 1u]);
  return interpolated(low, high, c.t);
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = (wid.y * nwg.x + wid.x) * WG + lane;
  let count = args.D * args.H * args.W;
  if (at >= count) {
    return;
  }
  let row = at / args.W;
  let p = vec3f(f32(at % args.W), f32(row % args.H), f32(row / args.H));
  let u1 = placed(0u, p);
  let u2 = placed(12u, p);
  let size1 = vec3u(args.W1, args.H1, args.D1);
  let size2 = vec3u(args.W2, args.H2, args.D2);
  var r = 0.0;
  var g = vec3f(0.0);
  var m = 0.0;
  var counts = 0.0;
  var wanted = inside(u1, size1) && inside(u2, size2);
  if (MASKED) {
    wanted = wanted && mask[at] != 0.0;
  }
  if (wanted) {
    let a = sample1(u1, size1);
    let b = sample2(u2, size2);
    if (a.w > pose[44] || b.w > pose[44]) {
      let first = a.w * pose[42];
      let second = b.w * pose[43];
      r = first - second;
      m = 0.5 * (first + second);
      g = turned(24u, a.xyz) + turned(33u, b.xyz);
      counts = 1.0;
    }
  }
  samples[at] = r;
  samples[count + at] = g.x;
  samples[2u * count + at] = g.y;
  samples[3u * count + at] = g.z;
  samples[4u * count + at] = m;
  samples[5u * count + at] = counts;
}
