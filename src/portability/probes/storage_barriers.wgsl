// As barriers.wgsl, in storage memory: y (GROUPS, WG) holds the values, scratch (GROUPS, WG) too.
@group(0) @binding(0) var<storage, read_write> y: array<u32>;

const WG: u32 = 64u;
const ROUNDS: u32 = 16u;
const GROUPS: u32 = 1u;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  // Past the end the first group's place would be shared: groups are no more than there are.
  let group = min(wid.y * nwg.x + wid.x, GROUPS - 1u);
  var value = group * 0x9e3779b9u + lane;
  for (var round = 0u; round < ROUNDS; round++) {
    y[group * WG + lane] = value;
    storageBarrier();
    value = value * 1664525u + y[group * WG + (lane + 7u * round + 1u) % WG];
    storageBarrier();
  }
  y[group * WG + lane] = value;
}
