// out[i] = Σ_s parts[s, i] over SPLITS in a fixed order, added to out when ACCUMULATE.
// parts: (SPLITS, COUNT); out: (COUNT). LANES threads do an element: they take its parts in strides,
// and the first adds up what they have. Neighbours in a workgroup do neighbouring elements.
@group(0) @binding(0) var<storage, read> parts: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

const COUNT: u32 = 64u;
const SPLITS: u32 = 1u;
const ACCUMULATE: bool = false;
const LANES: u32 = 1u;
const WG: u32 = 64u; // a multiple of LANES
const ELEMENTS: u32 = WG / LANES;

var<workgroup> partial: array<f32, WG>;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = (wid.y * nwg.x + wid.x) * ELEMENTS + local % ELEMENTS;
  let lane = local / ELEMENTS;
  var sum = 0.0;
  if (i < COUNT) {
    for (var s = lane; s < SPLITS; s += LANES) {
      sum += parts[s * COUNT + i];
    }
  }
  if (LANES > 1u) {
    partial[local] = sum;
    workgroupBarrier();
    if (lane == 0u) {
      for (var k = 1u; k < LANES; k++) {
        sum += partial[local + k * ELEMENTS];
      }
    }
  }
  if (i < COUNT && lane == 0u) {
    if (ACCUMULATE) {
      sum += out[i];
    }
    out[i] = sum;
  }
}
