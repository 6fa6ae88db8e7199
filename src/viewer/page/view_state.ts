export type Tool = "navigate" | "draw" | "erase";

/** How the pictures are shown. */
export interface View {
  readonly threePlanes: boolean;
  readonly difference: boolean;
  readonly probability: boolean;
  readonly outlines: boolean;
  readonly radiological: boolean;
  /** Of the overlays, to 1. */
  readonly opacity: number;
  /** The visit that is seen, 0 or 1, where both are in one place. */
  readonly flicker?: 0 | 1;
  readonly tool: Tool;
  /** Of the brush, mm. */
  readonly radius: number;
}

export const FIRST_VIEW: View = {
  ...{ threePlanes: true, difference: false, probability: false, outlines: true },
  ...{ radiological: true, opacity: 0.6, tool: "navigate", radius: 2 },
};

/** Of the brush, mm: the least is a single voxel. */
export const RADII = [0.3, 20] as const;
