// Cuts patches out of volumes as gather_patches.wgsl does, each varied by the parameters after its
// corner (layout and meaning: kernels/volume/augmentation.ts).  rows: (N, ROW) = volume, z, y, x, then
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

// shared: patch_constants
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
// end

// Words of a row, from kernels/volume/augmentation.ts.
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

// What is the same for all of a patch is read once, but for a few numbers that are read where they are
// used: AMD's GPUs have no scalar registers left for them.
var<private> row: u32;
var<private> flags: u32;
var<private> base: vec2u;
var<private> size: vec3i;
var<private> corner: vec3i;
var<private> swapped: bool;
var<private> affine: mat3x4f; // rows z, y, x
var<private> waves: mat3x4f; // k and phase of each
var<private> by: mat3x3f;

struct Tone {
  field: vec4f, // k and phase
  bias: vec2f, // amplitude, air
  line: vec4f,
  gamma: vec4f, // least, 1 / range, inverted, gamma
  factor: f32, // after gamma
}

fn param(i: u32) -> f32 {
  return bitcast<f32>(rows[row + i]);
}

fn param3(i: u32) -> vec3f {
  return vec3f(param(i), param(i + 1u), param(i + 2u));
}

fn param4(i: u32) -> vec4f {
  return vec4f(param3(i), param(i + 3u));
}

fn tone_of(p: u32) -> Tone {
  let bias = vec2f(param(p + 8u), param(p + 9u));
  return Tone(param4(p + 4u), bias, param4(p + 10u), param4(p + 14u), param(p + 18u));
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
  if ((flags & ELASTIC) == 0u) {
    return vec3f(0.0);
  }
  let turns = vec4f(o, 1.0) * waves;
  return by * vec3f(wave(turns.x), wave(turns.y), wave(turns.z));
}

fn mirrored() -> vec3<bool> {
  return (vec3u(flags) & vec3u(1u, 2u, 4u)) != vec3u(0u);
}

// Place of patch voxel o, relative to the corner, without the elastic part.
fn place(o: vec3f) -> vec3f {
  if ((flags & MOVED) == 0u) {
    return select(o, vec3f(vec3u(PD, PH, PW) - 1u) - o, mirrored());
  }
  return vec4f(o, 1.0) * affine;
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
  let last = size - 1;
  let along = first.z + vec4i(0, 1, 2, 3);
  let columns = vec4u(clamp(along, vec4i(0), vec4i(last.z)));
  let column = u32(clamp(first.z + 4, 0, last.z));
  var sum = 0.0;
  // Lines in one loop: drivers unroll nested ones, and take seconds to compile what comes out.
  for (var i = 0; i < 25; i++) {
    let k = vec2i(i / 5, i % 5);
    let zy = clamp(first.xy + k, vec2i(0), last.xy);
    let line = u32((zy.x * size.y + zy.y) * size.z);
    var along_x = w[0].z * one(visit, line + columns.x) + w[1].z * one(visit, line + columns.y);
    along_x += w[2].z * one(visit, line + columns.z) + w[3].z * one(visit, line + columns.w);
    along_x += w[4].z * one(visit, line + column);
    sum += w[k.x].x * w[k.y].y * along_x;
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
// The mean is taken off in integers: of floats a driver may make sum / d − 1020 / d, which cancels.
fn normal(a: u32, b: u32) -> f32 {
  let pairs = (a & 0x00ff00ffu) + ((a >> 8u) & 0x00ff00ffu) + (b & 0x00ff00ffu) + ((b >> 8u) & 0x00ff00ffu);
  return f32(i32((pairs & 0xffffu) + (pairs >> 16u)) - 1020) / 209.02153;
}

fn toned(value: f32, has: u32, o: vec3f, t: Tone, p: u32) -> f32 {
  var v = value;
  if ((has & BIAS) != 0u) {
    let field = 1.0 + t.bias.x * wave(dot(t.field, vec4f(o, 1.0)));
    v = (v - t.bias.y) * field + t.bias.y;
  }
  if ((has & LINE) != 0u) {
    v = clamp(t.line.x * v + t.line.y, t.line.z, t.line.w);
  }
  if ((has & GAMMA) != 0u) {
    let u = (v - t.gamma.x) * t.gamma.y;
    let inverted = 1.0 - pow(max(1.0 - u, 1e-12), t.gamma.z);
    let offset = param(p + 19u);
    v = t.factor * pow(max(inverted, 1e-12), t.gamma.w) + offset;
  }
  return v;
}

fn put(n: u32, s: u32, pair: vec2f) {
  // shared: put_visits
  x[n * C * S + s] = T(pair.x);
  x[(n * C + 1u) * S + s] = T(pair.y);
  if (DIFFERENCE) {
    x[(n * C + 2u) * S + s] = T(pair.y - pair.x);
  }
  // end
}

fn put_label(n: u32, s: u32, base_label: u32, at: vec3i, voxel: u32) {
  if (LABEL) {
    let bit = (page[base_label + (voxel >> 5u)] >> (voxel & 31u)) & 1u;
    let outside = any(at < vec3i(0)) || any(at >= size);
    y[n * S + s] = select(f32(bit), 0.0, outside);
  }
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
  if (flags < MOVED) {
    let last = vec3i(vec3u(PD, PH, PW)) - 1;
    for (var s = start + lane; s < end; s += WG) {
      let o = vec3i(vec3u(s / (PH * PW), (s / PW) % PH, s % PW));
      let at = corner + select(o, last - o, mirrored());
      let voxel = clamped(at);
      put(n, s, both(voxel));
      put_label(n, s, base_label, at, voxel);
    }
    return;
  }
  affine = mat3x4f(param4(AFFINE), param4(AFFINE + 4u), param4(AFFINE + 8u));
  waves = mat3x4f(param4(WAVES), param4(WAVES + 7u), param4(WAVES + 14u));
  by = mat3x3f(param3(WAVES + 4u), param3(WAVES + 11u), param3(WAVES + 18u));
  let tones = array<Tone, 2>(tone_of(VISIT), tone_of(VISIT + VISIT_WORDS));
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
    for (var v = 0u; v < 2u; v++) {
      let has = (flags >> (8u + 8u * v)) & 255u;
      if ((has & BLUR) != 0u) {
        pair[v] = blurred(v, at, VISIT + v * VISIT_WORDS);
      } else if ((has & LOW) != 0u) {
        pair[v] = coarse(v, o, shift, VISIT + v * VISIT_WORDS);
      }
    }
    pair.x = toned(pair.x, flags >> 8u, o, tones[0], VISIT);
    pair.y = toned(pair.y, flags >> 16u, o, tones[1], VISIT + VISIT_WORDS);
    if ((flags & ((NOISE << 8u) | (NOISE << 16u))) != 0u) {
      let random = pcg4d(vec4u(rows[row + KEY], rows[row + KEY + 1u], s, 0u));
      let noise = vec2f(normal(random.x, random.y), normal(random.z, random.w));
      let has = (vec2u(flags) & vec2u(NOISE << 8u, NOISE << 16u)) != vec2u(0u);
      pair += select(vec2f(0.0), vec2f(param(VISIT + 20u), param(VISIT + VISIT_WORDS + 20u)) * noise, has);
    }
    put(n, s, pair);
    put_label(n, s, base_label, nearest, voxel);
  }
}
