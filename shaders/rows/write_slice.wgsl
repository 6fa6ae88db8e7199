// dst[offset + i] = src[i].  src: (COUNT); dst: (E).  The offset is an argument, so that the chunks
// of one batch share a pipeline.
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

struct Args {
  offset: u32,
  COUNT: u32,
}
@group(0) @binding(2) var<uniform> args: Args;

const WG: u32 = 64u;
const VPT: u32 = 8u;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let start = (wid.y * nwg.x + wid.x) * WG * VPT + lane;
  for (var k = 0u; k < VPT; k++) {
    let i = start + k * WG;
    if (i < args.COUNT) {
      dst[args.offset + i] = src[i];
    }
  }
}
