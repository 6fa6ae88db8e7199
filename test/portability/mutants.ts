export interface Mutant {
  /** File of shaders/ without `.wgsl`. */
  readonly kernel: string;
  /** What is found there exactly once, and what takes its place. */
  readonly from: string;
  readonly to: string;
}
