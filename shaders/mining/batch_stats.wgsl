// One row of the training log.  loss: (B); sums: (B, 3) = Σpy, Σp, Σy; errors: (E); gradients: (B, 2) of
// class_gradients.wgsl; log: (K, WIDTH).
// Row step[3] receives the mean loss, the fraction of patches with Σy > 0, the mean error, the mean
// of Σp, the least and the greatest loss, and scale[0] and [2] (SCALED) or 0, 0; with GRADIENTS also
// the norms of the gradient over the lesion voxels, over the others, and over all voxels of the patches
// with Σy = 0, without the loss scale.  A row past the end is dropped.  With a NaN among the losses the
// mean is NaN; least and greatest say nothing then.
// One workgroup: strided sums by lane, then lane 0 adds the lanes in order.
@group(0) @binding(0) var<storage, read> loss: array<f32>;
@group(0) @binding(1) var<storage, read> sums: array<f32>;
@group(0) @binding(2) var<storage, read> errors: array<f32>;
@group(0) @binding(3) var<storage, read> step_values: array<f32>;
@group(0) @binding(4) var<storage, read> scale: array<f32>;
@group(0) @binding(5) var<storage, read> gradients: array<f32>;
@group(0) @binding(6) var<storage, read_write> log_rows: array<f32>;

const B: u32 = 32u;
const E: u32 = 128u;
const K: u32 = 16u;
const WIDTH: u32 = 8u;
const SCALED: bool = false;
const GRADIENTS: bool = false;
const WG: u32 = 64u;

var<workgroup> totals: array<vec4f, WG>; // loss, positive patches, error, Σp
var<workgroup> ranges: array<vec2f, WG>;
var<workgroup> squares: array<vec3f, WG>; // of the gradient: lesion voxels, others, empty patches

// What the squares are to be multiplied by: the step that a scale overflowed at has halved it.
fn unscale() -> f32 {
  if (!SCALED) {
    return 1.0;
  }
  let inverse = select(scale[1], 0.5 / scale[0], scale[1] == 0.0);
  return inverse * inverse;
}

@compute @workgroup_size(WG)
fn main(@builtin(local_invocation_index) lane: u32) {
  var total = vec4f(0.0);
  var range = vec2f(loss[0]);
  var square = vec3f(0.0);
  for (var i = lane; i < B; i += WG) {
    let l = loss[i];
    let positive = sums[i * 3u + 2u] > 0.0;
    total += vec4f(l, select(0.0, 1.0, positive), 0.0, sums[i * 3u + 1u]);
    if (GRADIENTS) {
      let d = vec2f(gradients[i * 2u], gradients[i * 2u + 1u]);
      square += vec3f(d, select(d.y, 0.0, positive));
    }
    range = vec2f(min(range.x, l), max(range.y, l));
  }
  for (var i = lane; i < E; i += WG) {
    total.z += errors[i];
  }
  totals[lane] = total;
  ranges[lane] = range;
  squares[lane] = square;
  workgroupBarrier();
  let row = u32(step_values[3]);
  if (lane > 0u || row >= K) {
    return;
  }
  for (var i = 1u; i < WG; i++) {
    total += totals[i];
    range = vec2f(min(range.x, ranges[i].x), max(range.y, ranges[i].y));
    square += squares[i];
  }
  let at = row * WIDTH;
  log_rows[at] = total.x / f32(B);
  log_rows[at + 1u] = total.y / f32(B);
  log_rows[at + 2u] = total.z / f32(E);
  log_rows[at + 3u] = total.w / f32(B);
  log_rows[at + 4u] = range.x;
  log_rows[at + 5u] = range.y;
  log_rows[at + 6u] = select(0.0, scale[0], SCALED);
  log_rows[at + 7u] = select(0.0, scale[2], SCALED);
  if (GRADIENTS) {
    let norms = sqrt(square * unscale());
    log_rows[at + 8u] = norms.x;
    log_rows[at + 9u] = norms.y;
    log_rows[at + 10u] = norms.z;
  }
}
