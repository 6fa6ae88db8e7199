/** Defects of the shaders of registration. */
import { type Defect, defect } from "./defect";

export const REGISTRATION: readonly Defect[] = [
  defect(
    "sign",
    "halfway_samples",
    "the gradient along x points backwards",
    "return vec4f(gx, mix",
    "return vec4f(-gx, mix",
  ),
  defect(
    "mask",
    "halfway_samples",
    "the mask is ignored",
    "wanted = wanted && mask[at] != 0.0;",
    "wanted = wanted && mask[at] == mask[at];",
  ),
  defect(
    "swap",
    "halfway_samples",
    "rows and columns are taken for each other where they differ in number",
    "let p = vec3f(f32(at % args.W), f32(row % args.H), f32(row / args.H));",
    "let p = vec3f(f32(at % args.W), f32(row % args.W), f32(row / args.W));",
  ),
  defect(
    "shift",
    "gaussian_axis",
    "a level of the pyramid lies half a voxel further on",
    "(row % args.N2) * args.STRIDE)",
    "(row % args.N2) * args.STRIDE + args.STRIDE / 2u)",
  ),
  defect(
    "halo",
    "gaussian_axis",
    "the last tap of the filter is left out",
    "k <= 2u * args.R; k++",
    "k < 2u * args.R; k++",
  ),
  defect(
    "border",
    "resample_affine",
    "the volume is mirrored at its first voxel, not held",
    "return u32(clamp(i, 0, i32(size) - 1));",
    "return u32(clamp(abs(i), 0, i32(size) - 1));",
  ),
  defect(
    "swap",
    "resample_affine",
    "an output as high as it is wide",
    "let p = vec3f(f32(at % args.W2), f32(row % args.H2), f32(row / args.H2));",
    "let p = vec3f(f32(at % args.W2), f32(row % args.W2), f32(row / args.W2));",
  ),
  defect(
    "weight",
    "normal_equations",
    "weights of the biweight without their square",
    "let w = kept * kept;",
    "let w = kept;",
  ),
  defect(
    "shift",
    "normal_equations",
    "the next plane of points begins without a step along z",
    "next.y - args.H, next.z + 1u)",
    "next.y - args.H, next.z)",
  ),
  defect(
    "swap",
    "normal_equations",
    "the third four of entries is taken for the last",
    "which == 3u",
    "which == 2u",
  ),
  defect(
    "mask",
    "residual_histogram",
    "points that do not count are counted",
    "if (samples[5u * count + at] == 0.0) {",
    "if (samples[5u * count + at] < 0.0) {",
  ),
  defect(
    "border",
    "residual_histogram",
    "what lies beyond the first bin goes to the second",
    "clamp(bin, 0.0, f32(BINS - 1u))",
    "clamp(bin, 1.0, f32(BINS - 1u))",
  ),
];
