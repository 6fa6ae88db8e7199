/** Defects of the normalisation's shaders. */
import { type Defect, defect } from "./defect";

export const NORMS: readonly Defect[] = [
  defect(
    "epsilon",
    "group_norm_stats",
    "ε left out",
    "inverseSqrt(variance + EPS)",
    "inverseSqrt(variance)",
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
  defect(
    "part",
    "group_norm_merge",
    "the parts of the last lane are left out",
    "i < LANES; i++",
    "i + 1u < LANES; i++",
  ),
  defect(
    "stride",
    "group_norm_apply",
    "strided vectors a workgroup apart, as on a GPU, from the wrong start",
    "select(lane * ITEMS, lane, STRIDED)",
    "lane * ITEMS",
  ),
  defect(
    "row",
    "group_norm_stats",
    "a second row of workgroups does the work of the first",
    "wid.y * nwg.x + wid.x",
    "wid.x",
  ),
];
