// Values go round in workgroup memory: each round every invocation leaves its value and takes another
// one's. y: (GROUPS, X · Y · Z). Without any of the barriers a value of the wrong round is taken.
@group(0) @binding(0) var<storage, read_write> y: array<u32>;

const X: u32 = 64u;
const Y: u32 = 1u;
const Z: u32 = 1u;
const ROUNDS: u32 = 16u;
const GROUPS: u32 = 1u;
const COUNT: u32 = X * Y * Z;

var<workgroup> ring: array<u32, COUNT>;

@compute @workgroup_size(X, Y, Z)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = wid.y * nwg.x + wid.x;
  var value = group * 0x9e3779b9u + lane;
  for (var round = 0u; round < ROUNDS; round++) {
    ring[lane] = value;
    workgroupBarrier();
    value = value * 1664525u + ring[(lane + 7u * round + 1u) % COUNT];
    workgroupBarrier();
  }
  if (group < GROUPS) {
    y[group * COUNT + lane] = value;
  }
}
