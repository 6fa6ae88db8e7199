// Cuts patches out of volumes as gather_patches.wgsl does, each varied by the parameters behind its
// corner (layout and meaning: kernels/augmentation.ts).  rows: (N, ROW) = volume, z, y, x, then
// the parameters; all else as in gather_patches.wgsl.
// One resampling: a voxel of the patch is mapped to its place in the volume and read there through
// one kernel (nearest, trilinear, a blur of 5³ taps, or 2³ samples of a coarser lattice); the map of
// intensities follows in registers. Flags say what a patch has; they are uniform in a workgroup, and
// a patch without any costs what it does in gather_patches.wgsl.
alias T = f32; // or f16
@group(0) @binding(0) var<storage, read> page: array<u32>;
@group(0) @binding(1) var<storage, read> table: array<u32>;
@group(0) @binding(2) var<storage, read> rows: array<u32>;
@group(0) @binding(3) var<storage, read_write> x: array<T>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

struct Args {
  page: u32,
  N: u32,
}
@group(0) @binding(5) var<uniform> args: Args;

const PD: u32 = 4u;
const PH: u32 = 4u;
const PW: u32 = 4u;
const CHUNKS: u32 = 1u; // ⌈S / (WG · VPT)⌉
const HALF: bool = false;
const LABEL: bool = true;
const DIFFERENCE: bool = false;
const WG: u32 = 64u;
const VPT: u32 = 8u;
const S: u32 = PD * PH * PW;
const C: u32 = select(2u, 3u, DIFFERENCE);

// Words of a row, from kernels/augmentation.ts.
const ROW: u32 = 82u;
const FLAGS: u32 = 4u;
const AFFINE: u32 = 5u;
const KEY: u32 = 17u;
const WAVES: u32 = 19u;
const VISIT: u32 = 40u; // then 21 a visit: kernel 4, bias 6, line 4, gamma 6, noise 1
const VISIT_WORDS: u32 = 21u;

const MOVED: u32 = 8u; // bits 0–2 mirror z, y, x
const ELASTIC: u32 = 16u;
const LOW: u32 = 1u; // of a visit, shifted by 8 and 16
const BLUR: u32 = 2u;
const BIAS: u32 = 4u;
const LINE: u32 = 8u;
const GAMMA: u32 = 16u;
const NOISE: u32 = 32u;
const REACH: f32 = 2.5; // of the blur, voxels

var<private> row: u32;
var<private> flags: u32;
var<private> base: vec2u;
var<private> size: vec3i;
var<private> corner: vec3i;
var<private> swapped: bool;

fn param(i: u32) -> f32 {
  return bitcast<f32>(rows[row + i]);
}

fn param3(i: u32) -> vec3f {
  return vec3f(param(i), param(i + 1u), param(i + 2u));
}

fn clamped(at: vec3i) -> u32 {
  let inside = clamp(at, vec3i(0), size - 1);
  return u32((inside.x * size.y + inside.y) * size.z + inside.z);
}

fn both(voxel: u32) -> vec2f {
  if (HALF) {
    let pair = unpack2x16float(page[base.x + voxel]);
    return select(pair, pair.yx, swapped);
  }
  return bitcast<vec2f>(vec2u(page[base.x + voxel], page[base.y + voxel]));
}

fn one(visit: u32, voxel: u32) -> f32 {
  if (HALF) {
    return both(voxel)[visit];
  }
  return bitcast<f32>(page[base[visit] + voxel]);
}

// A curve like a sine of period 1, of two parabolas: exact in float32 on every adapter.
fn wave(t: f32) -> f32 {
  let u = 2.0 * (t - round(t));
  return 4.0 * u * (1.0 - abs(u));
}

fn elastic(o: vec3f) -> vec3f {
  var moved = vec3f(0.0);
  if ((flags & ELASTIC) != 0u) {
    for (var w = WAVES; w < WAVES + 21u; w += 7u) {
      moved += param3(w + 4u) * wave(dot(param3(w), o) + param(w + 3u));
    }
  }
  return moved;
}

// Place of patch voxel o, relative to the corner, without the elastic part.
fn place(o: vec3f) -> vec3f {
  if ((flags & MOVED) == 0u) {
    let last = vec3f(vec3u(PD, PH, PW) - 1u);
    return select(o, last - o, (vec3u(flags) & vec3u(1u, 2u, 4u)) != vec3u(0u));
  }
  let a = AFFINE;
  let linear = vec3f(dot(param3(a), o), dot(param3(a + 4u), o), dot(param3(a + 8u), o));
  return linear + vec3f(param(a + 3u), param(a + 7u), param(a + 11u));
}

fn trilinear(at: vec3f) -> vec2f {
  let low = floor(at);
  let f = at - low;
  let first = corner + vec3i(low);
  var sum = vec2f(0.0);
  for (var k = 0u; k < 8u; k++) {
    let step = vec3u(k >> 2u, (k >> 1u) & 1u, k & 1u);
    let w = select(1.0 - f, f, step == vec3u(1u));
    sum += w.x * w.y * w.z * both(clamped(first + vec3i(step)));
  }
  return sum;
}

// Tapered Gaussian of 5³ voxels; param3(at) = 1 / 2s² per axis.
fn blurred(visit: u32, at: vec3f, kernel: u32) -> f32 {
  let middle = floor(at + 0.5);
  let apart = at - middle;
  let narrow = param3(kernel);
  var w: array<vec3f, 5>;
  var total = vec3f(0.0);
  for (var i = 0; i < 5; i++) {
    let d = vec3f(f32(i - 2)) - apart;
    w[i] = exp(-d * d * narrow) * max(vec3f(0.0), 1.0 - d * d / (REACH * REACH));
    total += w[i];
  }
  let first = corner + vec3i(middle) - 2;
  var sum = 0.0;
  // One loop: drivers unroll three nested ones, and take seconds to compile what comes out.
  for (var tap = 0; tap < 125; tap++) {
    let k = vec3i(tap / 25, (tap / 5) % 5, tap % 5);
    sum += w[k.x].x * w[k.y].y * w[k.z].z * one(visit, clamped(first + k));
  }
  return sum / (total.x * total.y * total.z);
}

// Nearest samples on a lattice of h voxels in the patch, joined linearly; param(at) = h, phase.
fn coarse(visit: u32, o: vec3f, shift: vec3f, kernel: u32) -> f32 {
  let h = param(kernel);
  let phase = param3(kernel + 1u);
  let q = o / h + phase;
  let low = floor(q);
  let f = q - low;
  var sum = 0.0;
  for (var k = 0u; k < 8u; k++) {
    let step = vec3u(k >> 2u, (k >> 1u) & 1u, k & 1u);
    let w = select(1.0 - f, f, step == vec3u(1u));
    let at = place((low + vec3f(step) - phase) * h) + shift;
    sum += w.x * w.y * w.z * one(visit, clamped(corner + vec3i(floor(at + 0.5))));
  }
  return sum;
}

// Jarzynski and Olano, Hash Functions for GPU Rendering, JCGT 2020: pcg4d.
fn pcg4d(words: vec4u) -> vec4u {
  var v = words * 1664525u + 1013904223u;
  for (var round = 0; round < 2; round++) {
    v.x += v.y * v.w;
    v.y += v.z * v.x;
    v.z += v.x * v.y;
    v.w += v.y * v.z;
    if (round == 0) {
      v ^= v >> vec4u(16u);
    }
  }
  return v;
}

// Standard normal to within its fourth moment: 8 bytes added, less their mean, by their deviation.
fn normal(a: u32, b: u32) -> f32 {
  let pairs = (a & 0x00ff00ffu) + ((a >> 8u) & 0x00ff00ffu) + (b & 0x00ff00ffu) + ((b >> 8u) & 0x00ff00ffu);
  return (f32((pairs & 0xffffu) + (pairs >> 16u)) - 1020.0) / 209.02153;
}

fn toned(value: f32, has: u32, o: vec3f, p: u32) -> f32 {
  var v = value;
  if ((has & BIAS) != 0u) {
    let field = 1.0 + param(p + 8u) * wave(dot(param3(p + 4u), o) + param(p + 7u));
    v = (v - param(p + 9u)) * field + param(p + 9u);
  }
  if ((has & LINE) != 0u) {
    v = clamp(param(p + 10u) * v + param(p + 11u), param(p + 12u), param(p + 13u));
  }
  if ((has & GAMMA) != 0u) {
    let u = (v - param(p + 14u)) * param(p + 15u);
    let inverted = 1.0 - pow(max(1.0 - u, 1e-12), param(p + 16u));
    v = param(p + 18u) * pow(max(inverted, 1e-12), param(p + 17u)) + param(p + 19u);
  }
  return v;
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = wid.y * nwg.x + wid.x;
  let n = group / CHUNKS;
  if (n >= args.N) {
    return;
  }
  row = n * ROW;
  let volume = rows[row] * 8u;
  if (table[volume] != args.page) {
    return;
  }
  base = vec2u(table[volume + 1u], table[volume + 2u]);
  let base_label = table[volume + 3u];
  size = vec3i(vec3u(table[volume + 4u], table[volume + 5u], table[volume + 6u]));
  swapped = (table[volume + 7u] & 1u) == 1u;
  corner = bitcast<vec3i>(vec3u(rows[row + 1u], rows[row + 2u], rows[row + 3u]));
  flags = rows[row + FLAGS];
  let start = (group % CHUNKS) * WG * VPT;
  let end = min(start + WG * VPT, S);
  for (var s = start + lane; s < end; s += WG) {
    let o = vec3f(vec3u(s / (PH * PW), (s / PW) % PH, s % PW));
    let shift = elastic(o);
    let at = place(o) + shift;
    let nearest = corner + vec3i(floor(at + 0.5));
    let voxel = clamped(nearest);
    var pair: vec2f;
    if ((flags & (MOVED | ELASTIC)) != 0u) {
      pair = trilinear(at);
    } else {
      pair = both(voxel);
    }
    if (flags > 255u) {
      let random = pcg4d(vec4u(rows[row + KEY], rows[row + KEY + 1u], s, 0u));
      let noise = vec2f(normal(random.x, random.y), normal(random.z, random.w));
      for (var v = 0u; v < 2u; v++) {
        let has = (flags >> (8u + 8u * v)) & 255u;
        let p = VISIT + v * VISIT_WORDS;
        var value = pair[v];
        if ((has & BLUR) != 0u) {
          value = blurred(v, at, p);
        } else if ((has & LOW) != 0u) {
          value = coarse(v, o, shift, p);
        }
        value = toned(value, has, o, p);
        if ((has & NOISE) != 0u) {
          value += param(p + 20u) * noise[v];
        }
        pair[v] = value;
      }
    }
    x[n * C * S + s] = T(pair.x);
    x[(n * C + 1u) * S + s] = T(pair.y);
    if (DIFFERENCE) {
      x[(n * C + 2u) * S + s] = T(pair.y - pair.x);
    }
    if (LABEL) {
      let bit = (page[base_label + (voxel >> 5u)] >> (voxel & 31u)) & 1u;
      let outside = any(nearest < vec3i(0)) || any(nearest >= size);
      y[n * S + s] = select(f32(bit), 0.0, outside);
    }
  }
}
