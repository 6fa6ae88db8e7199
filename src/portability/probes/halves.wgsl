enable f16;
// Float32 stored as f16. y: 8 elements.
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4h>;

@compute @workgroup_size(1)
fn main() {
  y[0] = vec4h(x[0]);
  y[1] = vec4h(x[1]);
}
