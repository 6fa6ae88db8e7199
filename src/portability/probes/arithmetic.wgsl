// Of bit patterns in x: what the adapter makes of denormals, NaN and products. y: 8 words.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(1)
fn main() {
  // x: a denormal, 2⁻¹⁰⁰, 2⁻³⁰, NaN, 1 + 2⁻¹², −(1 + 2⁻¹¹), 0, 1
  y[0] = x[0]; // copied
  y[1] = x[0] + x[6]; // added to 0
  y[2] = x[1] * x[2]; // made by a product
  y[3] = max(x[3], x[6]);
  y[4] = min(x[3], x[6]);
  y[5] = select(0.0, 1.0, x[3] != x[3]);
  y[6] = fma(x[4], x[4], x[5]); // 2⁻²⁴ if it rounds once, else 0
  y[7] = x[4] * x[4] + x[5]; // the same, if the compiler makes one of it
}
