// y[b] = rows[indices[b]].  rows: (E, R); indices: (B); y: (B, R); all u32.
// One thread per element of y; an index past the end is held at the last row.
@group(0) @binding(0) var<storage, read> rows: array<u32>;
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

const E: u32 = 128u;
const R: u32 = 4u;
const COUNT: u32 = 128u; // B · R
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
  y[i] = rows[min(indices[i / R], E - 1u) * R + i % R];
}
