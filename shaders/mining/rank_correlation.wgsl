// Spearman's correlation of the ranks of a[at[i]] (AT) or a[i] with those of b[i], i < COUNT; equal
// values share the mean of their ranks. y: (1); −2 where one of them is constant.
// The rank of i, twice and centred, is how many are smaller less how many are larger: they add up to 0.
// One workgroup; O(COUNT²) comparisons, for the patches of a batch or a pool.
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read> at: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

const COUNT: u32 = 32u;
const AT: bool = false;
const WG: u32 = 256u;

var<workgroup> partial: array<vec3f, WG>; // Σ ab, Σ a², Σ b² of the ranks

fn pair(i: u32) -> vec2f {
  if (AT) {
    return vec2f(a[at[i]], b[i]);
  }
  return vec2f(a[i], b[i]);
}

@compute @workgroup_size(WG)
fn main(@builtin(local_invocation_index) lane: u32) {
  var sum = vec3f(0.0);
  for (var i = lane; i < COUNT; i += WG) {
    let own = pair(i);
    var rank = vec2f(0.0);
    for (var j = 0u; j < COUNT; j++) {
      rank += sign(own - pair(j));
    }
    sum += vec3f(rank.x * rank.y, rank.x * rank.x, rank.y * rank.y);
  }
  partial[lane] = sum;
  workgroupBarrier();
  if (lane == 0u) {
    for (var i = 1u; i < WG; i++) {
      sum += partial[i];
    }
    y[0] = -2.0;
    if (sum.y > 0.0 && sum.z > 0.0) {
      y[0] = sum.x / (sqrt(sum.y) * sqrt(sum.z));
    }
  }
}
