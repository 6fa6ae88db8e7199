/**
 * Small defects of the kind that kernels and compilers have. The suite must notice them
 * (`bun run portability mutate`, docs/engine/portability.md): each is one edit of one shader.
 */

export interface Mutant {
  /** Name of a file in a folder of shaders/, without `.wgsl`. */
  readonly kernel: string;
  /** What is found there exactly once, and what takes its place. */
  readonly from: string;
  readonly to: string;
}

export const KINDS = [
  "border",
  "stride",
  "barrier",
  "length",
  "comparison",
  "tap",
  "rounding",
  "epsilon",
  "constant",
  "term",
  "lane",
] as const;

export interface Defect extends Mutant {
  readonly kind: (typeof KINDS)[number];
  readonly what: string;
}

const BARRIER = "  workgroupBarrier();\n";

function defect(kind: Defect["kind"], kernel: string, what: string, from: string, to: string) {
  return { kind, kernel, what, from, to } satisfies Defect;
}

const CONVOLUTIONS: readonly Defect[] = [
  defect(
    "stride",
    "conv3d_naive",
    "the axes of a tap in reverse order",
    "vec3u(t / (K * K), t / K % K, t % K) - R",
    "vec3u(t % K, t / K % K, t / (K * K)) - R",
  ),
  defect(
    "tap",
    "conv3d_naive",
    "the input's gradient with taps that are not mirrored",
    "(ci * COUT + co) * T + T - 1u - t",
    "(ci * COUT + co) * T + t",
  ),
  defect(
    "length",
    "conv3d_naive_dw",
    "the sum lacks the last voxel",
    "s < S; s++",
    "s < S - 1u; s++",
  ),
  defect("tap", "conv3d_pack", "weights packed one tap off", "(row - 1u) % T", "row % T"),
  defect(
    "rounding",
    "conv3d_pack",
    "the last block of channels is left out",
    "(COUT + CB - 1u) / CB * ROWS",
    "(COUT + CB - 2u) / CB * ROWS",
  ),
  defect(
    "border",
    "conv3d_plain",
    "the border on the right repeats the last voxel",
    "valid && xx < W",
    "valid && xx <= W",
  ),
  defect(
    "border",
    "conv3d_plain",
    "a row's last vector is written past its end",
    "if (x0 + 3u < W) {",
    "if (x0 + 2u < W) {",
  ),
  defect(
    "rounding",
    "conv3d_plain_dw",
    "planes of a part rounded down",
    "(N * D + SPLITS - 1u) / SPLITS",
    "N * D / SPLITS",
  ),
  defect(
    "tap",
    "conv3d_plain_dw",
    "the row below is the row itself",
    "v2 = vec3f(v2.yz, load(plane, yy + 1u, xx + 1u));",
    "v2 = vec3f(v2.yz, load(plane, yy, xx + 1u));",
  ),
  defect(
    "border",
    "conv3d_subgroup",
    "voxels past a row are taken from the next one",
    "inside[s] = xx < W && yy < H;",
    "inside[s] = xx <= W && yy < H;",
  ),
  defect(
    "lane",
    "conv3d_subgroup",
    "a neighbour's value from the next lane",
    "subgroupShuffle(near[q / LANES], q % LANES)",
    "subgroupShuffle(near[q / LANES], (q + 1u) % LANES)",
  ),
  defect(
    "border",
    "conv3d_subgroup_dw",
    "channels past the last are written",
    "if (co < COUT && line < LINES) {",
    "if (co <= COUT && line < LINES) {",
  ),
  defect(
    "barrier",
    "conv3d_blocked",
    "none between a channel and the next",
    `      put(half, lane);\n    }\n  ${BARRIER}`,
    "      put(half, lane);\n    }\n",
  ),
  defect(
    "barrier",
    "conv3d_blocked_dw",
    "none between a plane and the next",
    `    advance();\n  ${BARRIER}`,
    "    advance();\n",
  ),
  defect(
    "tap",
    "conv3d_blocked",
    "the column right of a tile is the one after it",
    "let xx = corner.x + vec2u(0u - 1u, TX);",
    "let xx = corner.x + vec2u(0u - 1u, TX + 1u);",
  ),
  defect(
    "length",
    "conv3d_blocked",
    "moments count the voxels outside of the volume",
    "min(vec3u(TX, TY, TZ), vec3u(args.W, args.H, args.D) - corner)",
    "vec3u(TX, TY, TZ)",
  ),
  defect(
    "rounding",
    "conv3d_blocked_dw",
    "columns of a part rounded down",
    "(columns + args.SPLITS - 1u) / args.SPLITS",
    "columns / args.SPLITS",
  ),
  defect(
    "length",
    "conv3d_blocked_dw",
    "the sums of a row's last vector are left out",
    "s < SIDES; s++",
    "s + 1u < SIDES; s++",
  ),
  defect(
    "comparison",
    "conv3d_point",
    "one vector more than a row has",
    "if (at < args.S4) {",
    "if (at <= args.S4) {",
  ),
  defect(
    "length",
    "conv3d_db",
    "the last step of the tree is left out",
    "stride > 0u; stride /= 2u",
    "stride > 1u; stride /= 2u",
  ),
  defect(
    "barrier",
    "conv3d_db",
    "none in the tree",
    "    workgroupBarrier();\n    if (lane < stride) {",
    "    if (lane < stride) {",
  ),
  defect(
    "term",
    "sum_parts",
    "what was there before is forgotten",
    "sum += out[i];",
    "sum += 0.0;",
  ),
  defect(
    "constant",
    "conv3d_winograd_input",
    "a point of the transform for the other",
    "let oddA = A * (p3 - BB * p1);",
    "let oddA = A * (p3 - AA * p1);",
  ),
  defect(
    "border",
    "conv3d_winograd",
    "the last row of a tile is not written",
    "if (z < D && yy < H && xx < W) {",
    "if (z < D && yy < H - 1u && xx < W) {",
  ),
  defect(
    "length",
    "conv3d_winograd_dw_reduce",
    "the last part is left out",
    "s < args.SPLITS; s++",
    "s + 1u < args.SPLITS; s++",
  ),
];

const NORMS: readonly Defect[] = [
  defect(
    "epsilon",
    "group_norm_stats",
    "ε left out",
    "inverseSqrt(variance + EPS)",
    "inverseSqrt(variance)",
  ),
  defect(
    "barrier",
    "group_norm_stats",
    "none before the rows are summed",
    `  partial[lane] = value;\n${BARRIER}`,
    "  partial[lane] = value;\n",
  ),
  defect(
    "term",
    "group_norm_merge",
    "the share of the difference of means without its weight",
    "off * off * a.x * share",
    "off * off * share",
  ),
  defect(
    "comparison",
    "group_norm_apply",
    "one vector more than a channel has",
    "if (i < S) {",
    "if (i <= S) {",
  ),
  defect(
    "term",
    "group_norm_dx",
    "the term of the variance left out",
    "V(scale * d - constant - slope * centred)",
    "V(scale * d - constant)",
  ),
  defect(
    "length",
    "group_norm_params",
    "a mean over one element less",
    "means[2u * i] = sum.x / f32(args.M);",
    "means[2u * i] = sum.x / f32(args.M - 1u);",
  ),
  defect(
    "length",
    "group_norm_sums",
    "the sum lacks the last vector",
    "i < args.S; i += WG",
    "i < args.S - 1u; i += WG",
  ),
];

const OTHERS: readonly Defect[] = [
  defect(
    "comparison",
    "max_pool3d",
    "the last of equal maxima",
    "if (v > best) {",
    "if (v >= best) {",
  ),
  defect(
    "border",
    "max_pool3d_dx",
    "gradients of the odd last plane",
    "if (all(p < vec3u(W, H, D))) {",
    "if (all(p <= vec3u(W, H, D))) {",
  ),
  defect(
    "comparison",
    "norm_max_pool3d",
    "the last of equal maxima",
    "let even = v.xz > best;",
    "let even = v.xz >= best;",
  ),
  defect(
    "constant",
    "upsample3d",
    "aligned corners: twice the size, not one less",
    "vec2f(f32(k), f32(n - 1u - k)) / f32(2u * n - 1u)",
    "vec2f(f32(k), f32(n - 1u - k)) / f32(2u * n)",
  ),
  defect(
    "rounding",
    "upsample3d_rows",
    "the last chunk of planes is left out",
    "let chunks = (D + args.RUN - 1u) / args.RUN;",
    "let chunks = max(1u, D / args.RUN);",
  ),
  defect(
    "stride",
    "concat",
    "channels go to the start of the wider tensor",
    "(n * Y_CT + Y_C0) * S + r",
    "n * Y_CT * S + r",
  ),
  defect("comparison", "relu_dx", "the gradient at 0 passes", "y[i] > V()", "y[i] >= V()"),
  defect("comparison", "fill", "one vector more", "if (i < COUNT) {", "if (i <= COUNT) {"),
  defect(
    "epsilon",
    "adam",
    "ε left out",
    "(sqrt(v_new) * step_values[1] + EPSILON)",
    "(sqrt(v_new) * step_values[1])",
  ),
  defect("constant", "adam", "β1 for β2", "ONE_MINUS_BETA2 * d * d", "ONE_MINUS_BETA1 * d * d"),
  defect("comparison", "top_b", "equal errors count themselves", "j < i)", "j <= i)"),
  defect("border", "take_rows", "the last row is never taken", "E - 1u", "E - 2u"),
  defect(
    "epsilon",
    "patch_loss",
    "ε left out",
    "let n = 2.0 * all.x + EPSILON;",
    "let n = 2.0 * all.x;",
  ),
  defect(
    "barrier",
    "patch_sums",
    "none before the lanes are added up",
    `  partial_y[lane] = sum_y;\n${BARRIER}`,
    "  partial_y[lane] = sum_y;\n",
  ),
  defect(
    "length",
    "moments",
    "the last element of a piece is left out",
    "let end = min(start + PIECE, args.S);",
    "let end = min(start + PIECE, args.S) - 1u;",
  ),
  defect(
    "barrier",
    "window_range",
    "none before the lanes are compared",
    `  greatest[lane] = high;\n${BARRIER}`,
    "  greatest[lane] = high;\n",
  ),
  defect(
    "border",
    "gather_patches",
    "one voxel past the edge",
    "clamp(at, vec3i(0), size - 1)",
    "clamp(at, vec3i(0), size)",
  ),
  defect(
    "border",
    "overlap_add",
    "a plane more than a window has",
    "first + k < PD && z >= 0",
    "first + k <= PD && z >= 0",
  ),
  defect(
    "length",
    "overlap_divide",
    "the last plane is not divided",
    "min(first + VPT, args.PLANES)",
    "min(first + VPT, args.PLANES - 1u)",
  ),
  defect(
    "comparison",
    "write_slice",
    "one element more",
    "if (i < args.COUNT) {",
    "if (i <= args.COUNT) {",
  ),
  defect(
    "rounding",
    "resample",
    "positions without their lowest bits' carry",
    "offset.y + (low >> 16u)",
    "offset.y",
  ),
];

export const DEFECTS: readonly Defect[] = [...CONVOLUTIONS, ...NORMS, ...OTHERS];
