// Reads and writes past the end of what is bound. x, y: 4 words each; places: 2.
@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read> places: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(1)
fn main() {
  y[0] = x[places[0]];
  y[places[1]] = 99u;
}
