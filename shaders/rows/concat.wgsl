// Copies x: (N, C, S) into channels [Y_C0, Y_C0 + C) of y: (N, Y_CT, S); x may be a channel view.
// One thread per vector V of x.
alias V = vec4f; // or f32; f16 likewise
@group(0) @binding(0) var<storage, read> x: array<V>;
@group(0) @binding(1) var<storage, read_write> y: array<V>;

const N: u32 = 2u;
const CS: u32 = 64u; // C · S
const S: u32 = 32u; // vectors of a channel
const X_CT: u32 = 2u;
const X_C0: u32 = 0u;
const Y_CT: u32 = 4u;
const Y_C0: u32 = 2u;
const WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (wid.y * nwg.x + wid.x) * WG + lane;
  if (i >= N * CS) {
    return;
  }
  let n = i / CS;
  let r = i % CS;
  y[(n * Y_CT + Y_C0) * S + r] = x[(n * X_CT + X_C0) * S + r];
}
