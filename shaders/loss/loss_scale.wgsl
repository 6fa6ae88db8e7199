// The loss scale after a step.  parts: (P) = overflows, from overflow_parts; scale: (4) = the loss
// scale, then 1 / (the scale that these gradients have) or 0 if their step is to be skipped, the
// steps skipped so far, unused. After an overflow the scale is halved, down to 1. One thread: P is
// some hundreds at most.
@group(0) @binding(0) var<storage, read> parts: array<u32>;
@group(0) @binding(1) var<storage, read_write> scale: array<f32>;

const P: u32 = 1u;

@compute @workgroup_size(1)
fn main() {
  var count = 0u;
  for (var i = 0u; i < P; i++) {
    count += parts[i];
  }
  scale[1] = 1.0 / scale[0];
  if (count > 0u) {
    scale[0] = max(1.0, 0.5 * scale[0]);
    scale[1] = 0.0;
    scale[2] += 1.0;
  }
}
