// Fills WORDS words of workgroup memory, and reads each where another invocation wrote it.
// y: (GROUPS, WG), sums over the words that an invocation reads.
@group(0) @binding(0) var<storage, read_write> y: array<u32>;

const WORDS: u32 = 4096u;
const WG: u32 = 64u;

var<workgroup> room: array<u32, WORDS>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_index) lane: u32) {
  for (var i = lane; i < WORDS; i += WG) {
    room[i] = (i + wid.x * WORDS) * 0x9e3779b9u;
  }
  workgroupBarrier();
  var sum = 0u;
  for (var i = lane; i < WORDS; i += WG) {
    sum = sum * 31u + room[WORDS - 1u - i];
  }
  y[wid.x * WG + lane] = sum;
}
