// Samples a volume on a grid that lies in it in any way.  x: (D, H, W); matrix: (12), rows of the 3 × 4
// matrix from an output index (x, y, z) to a coordinate of x; y: (D2, H2, W2).
// ORDER 0: the nearest voxel, ⌊c + ½⌋; 1: trilinear; 3: cubic convolution, a = −½ (Keys 1981).
// Beyond the outermost centres the edge holds, and beyond the outer faces y is 0.
// One thread per output voxel.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> matrix: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

struct Args {
  D: u32, H: u32, W: u32,
  D2: u32, H2: u32, W2: u32,
}
@group(0) @binding(3) var<uniform> args: Args;

const ORDER: u32 = 1u;
const WG: u32 = 64u;

fn row_of(first: u32, p: vec3f) -> f32 {
  return matrix[first] * p.x + matrix[first + 1u] * p.y + matrix[first + 2u] * p.z + matrix[first + 3u];
}

fn held(i: i32, size: u32) -> u32 {
  return u32(clamp(i, 0, i32(size) - 1));
}

// Keys' kernel at the four voxels around a fraction t.
fn cubic(t: f32) -> vec4f {
  let t2 = t * t;
  let t3 = t2 * t;
  return vec4f(
    -0.5 * t3 + t2 - 0.5 * t,
    1.5 * t3 - 2.5 * t2 + 1.0,
    -1.5 * t3 + 2.0 * t2 + 0.5 * t,
    0.5 * t3 - 0.5 * t2,
  );
}

fn weights(t: f32) -> vec4f {
  if (ORDER == 3u) {
    return cubic(t);
  }
  return vec4f(0.0, 1.0 - t, t, 0.0);
}

fn sample(c: vec3f) -> f32 {
  if (ORDER == 0u) {
    let n = vec3i(floor(c + 0.5));
    return x[(held(n.z, args.D) * args.H + held(n.y, args.H)) * args.W + held(n.x, args.W)];
  }
  let low = vec3i(floor(c));
  let t = c - floor(c);
  let wx = weights(t.x);
  let wy = weights(t.y);
  let wz = weights(t.z);
  let ends = select(vec2i(1, 2), vec2i(0, 3), ORDER == 3u);
  var sum = 0.0;
  for (var k = ends.x; k <= ends.y; k++) {
    let plane = held(low.z + k - 1, args.D) * args.H;
    var over_rows = 0.0;
    for (var j = ends.x; j <= ends.y; j++) {
      let row = (plane + held(low.y + j - 1, args.H)) * args.W;
      var along = 0.0;
      for (var i = ends.x; i <= ends.y; i++) {
        along += wx[i] * x[row + held(low.x + i - 1, args.W)];
      }
      over_rows += wy[j] * along;
    }
    sum += wz[k] * over_rows;
  }
  return sum;
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = (wid.y * nwg.x + wid.x) * WG + lane;
  if (at >= args.D2 * args.H2 * args.W2) {
    return;
  }
  let row = at / args.W2;
  let p = vec3f(f32(at % args.W2), f32(row % args.H2), f32(row / args.H2));
  let c = vec3f(row_of(0u, p), row_of(4u, p), row_of(8u, p));
  let face = vec3f(vec3u(args.W, args.H, args.D)) - 0.5;
  var value = 0.0;
  if (all(c >= vec3f(-0.5)) && all(c <= face)) {
    value = sample(c);
  }
  y[at] = value;
}
