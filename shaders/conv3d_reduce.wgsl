// out[i] = Σ_s parts[s, i] over SPLITS in order, added to out when ACCUMULATE.
// parts: (SPLITS, COUNT); out: (COUNT). One thread per element.
@group(0) @binding(0) var<storage, read> parts: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

const COUNT: u32 = 64u;
const SPLITS: u32 = 1u;
const ACCUMULATE: bool = false;
const WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (wid.y * nwg.x + wid.x) * WG + lane;
  if (i >= COUNT) {
    return;
  }
  var sum = 0.0;
  for (var s = 0u; s < SPLITS; s++) {
    sum += parts[s * COUNT + i];
  }
  if (ACCUMULATE) {
    sum += out[i];
  }
  out[i] = sum;
}
