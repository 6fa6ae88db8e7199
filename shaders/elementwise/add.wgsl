// y = a + b.  a, b, y: (N, C, S); a and b may be channel views (CT channels a sample, first C0).
// One thread per vector V.
alias V = vec4f; // or f32; f16 likewise: as stored
alias F = vec4f; // or f32: as computed
@group(0) @binding(0) var<storage, read> a: array<V>;
@group(0) @binding(1) var<storage, read> b: array<V>;
@group(0) @binding(2) var<storage, read_write> y: array<V>;

const COUNT: u32 = 64u; // N · C · S, in vectors
const CS: u32 = 64u; // C · S
const S: u32 = 32u; // vectors of a channel
const A_CT: u32 = 2u;
const A_C0: u32 = 0u;
const B_CT: u32 = 2u;
const B_C0: u32 = 0u;
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
  let n = i / CS;
  let r = i % CS;
  y[i] = V(F(a[(n * A_CT + A_C0) * S + r]) + F(b[(n * B_CT + B_C0) * S + r]));
}
