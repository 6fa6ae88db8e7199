// y[0] = share of a's indices that are among b's.  a, b: (COUNT), each without repetition; y: (1).
// One workgroup; the count is a whole number, so exact in any order.
@group(0) @binding(0) var<storage, read> a: array<u32>;
@group(0) @binding(1) var<storage, read> b: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

const COUNT: u32 = 32u;
const WG: u32 = 64u;

var<workgroup> shared_count: atomic<u32>;

@compute @workgroup_size(WG)
fn main(@builtin(local_invocation_index) lane: u32) {
  for (var i = lane; i < COUNT; i += WG) {
    var found = 0u;
    for (var j = 0u; j < COUNT; j++) {
      found |= select(0u, 1u, a[i] == b[j]);
    }
    atomicAdd(&shared_count, found);
  }
  workgroupBarrier();
  if (lane == 0u) {
    y[0] = f32(atomicLoad(&shared_count)) / f32(COUNT);
  }
}
