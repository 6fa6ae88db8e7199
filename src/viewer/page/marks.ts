/** Outlines of the lesions and the crosshair, on a canvas over NiiVue's: sharp at every zoom. */
import { type Niivue, SLICE_TYPE } from "@niivue/niivue";
import type { Crop } from "./crop";
import { type Reading, SHOWN } from "./reading";

/** The axes across and up the screen, and through it, of each plane. */
const AXES: Readonly<Record<number, readonly [across: number, up: number, through: number]>> = {
  [SLICE_TYPE.AXIAL]: [0, 1, 2],
  [SLICE_TYPE.CORONAL]: [0, 2, 1],
  [SLICE_TYPE.SAGITTAL]: [1, 2, 0],
};

const COLOURS = {
  lesion: "#ff8a3d",
  rejected: "#8b95a3",
  crosshair: "#7cb7ffb0",
} as const;

/** Pixels of CSS. */
const OUTLINE = 2;
const GAP = 16;

/** Screen = offset + step · voxel (whole numbers are the voxels' lower faces), pixels of CSS. */
interface Line {
  readonly offset: number;
  readonly step: number;
}

/** Pixels of CSS. */
type Box = readonly [left: number, top: number, width: number, height: number];

/** Of a tile. NiiVue writes one that is mirrored from its right edge, with a negative width. */
function boxOf([left = 0, top = 0, width = 0, height = 0]: readonly number[], dpr: number): Box {
  const start = width < 0 ? left + width : left;
  return [start / dpr, top / dpr, Math.abs(width) / dpr, height / dpr];
}

export class Marks {
  outlines = true;
  readonly canvas: HTMLCanvasElement;
  /** In which the next picture is made. */
  private frame: number | undefined;

  constructor(
    private readonly view: Niivue,
    private readonly reading: Reading,
    private readonly crop: Crop,
  ) {
    this.canvas = document.createElement("canvas");
    this.canvas.className = "marks";
    this.canvas.setAttribute("aria-hidden", "true");
    view.canvas!.after(this.canvas);
    // Every picture that NiiVue makes, for whatever reason, gets its marks; one for each frame of the screen.
    const draw = view.drawScene.bind(view);
    view.drawScene = () => {
      this.frame ??= requestAnimationFrame(() => {
        this.frame = undefined;
        draw();
        this.draw();
      });
    };
  }

  close(): void {
    if (this.frame !== undefined) cancelAnimationFrame(this.frame);
  }

  draw(): void {
    const { view, canvas } = this;
    const { width, height } = view.canvas!;
    if (canvas.width !== width || canvas.height !== height)
      Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d")!;
    const dpr = view.uiData.dpr ?? 1;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    context.scale(dpr, dpr);
    if (view.volumes.length === 0) return;
    view.screenSlices.forEach((tile, i) => {
      const axes = AXES[tile.axCorSag];
      if (!axes) return;
      const box = boxOf(tile.leftTopWidthHeight, dpr);
      const lines = this.linesOf(i, axes, box, dpr);
      context.save();
      context.beginPath();
      context.rect(...box);
      context.clip();
      if (this.outlines) this.outline(context, axes, lines);
      this.crosshair(context, axes, lines, box);
      context.restore();
    });
  }

  /** How voxels of the study lie on a tile: asked of NiiVue at two places well inside, since it has no answer at the edge. */
  private linesOf(
    tile: number,
    [across, up]: readonly [number, number, number],
    [left, top, wide, high]: Box,
    dpr: number,
  ): readonly [Line, Line] {
    const { size, first } = this.crop;
    const at = (share: number) =>
      this.view.screenXY2TextureFrac(
        (left + share * wide) * dpr,
        (top + share * high) * dpr,
        tile,
        false,
      );
    const [near, far] = [at(0.25), at(0.75)];
    const line = (axis: number, start: number, length: number): Line => {
      const voxel = (frac: number) => first[axis]! + frac * size[axis]!;
      const [a, b] = [voxel(near[axis]!), voxel(far[axis]!)];
      const step = (0.5 * length) / (b - a);
      return { offset: start + 0.25 * length - step * a, step };
    };
    return [line(across, left, wide), line(up, top, high)];
  }

  private outline(
    context: CanvasRenderingContext2D,
    [across, up, through]: readonly [number, number, number],
    [x, y]: readonly [Line, Line],
  ): void {
    const { shown, study } = this.reading;
    const { size } = study.grid;
    const strides = [1, size[0], size[0] * size[1]];
    const [sa, su] = [strides[across]!, strides[up]!];
    const base = strides[through]! * this.voxel[through]!;
    const [na, nu] = [size[across]!, size[up]!];
    const paths = { [SHOWN.lesion]: new Path2D(), [SHOWN.rejected]: new Path2D() };
    for (let u = 0; u < nu; u++) {
      for (let a = 0, i = base + u * su; a < na; a++, i += sa) {
        const value = shown[i]!;
        const path = paths[value as 1 | 2];
        if (!path) continue;
        const edge = (
          isInside: boolean,
          step: number,
          from: [number, number],
          to: [number, number],
        ) => {
          if (isInside && shown[i + step] === value) return;
          path.moveTo(x.offset + x.step * (a + from[0]), y.offset + y.step * (u + from[1]));
          path.lineTo(x.offset + x.step * (a + to[0]), y.offset + y.step * (u + to[1]));
        };
        edge(a > 0, -sa, [0, 0], [0, 1]);
        edge(a + 1 < na, sa, [1, 0], [1, 1]);
        edge(u > 0, -su, [0, 0], [1, 0]);
        edge(u + 1 < nu, su, [0, 1], [1, 1]);
      }
    }
    context.lineCap = "round";
    context.lineWidth = OUTLINE / 2;
    context.strokeStyle = COLOURS.rejected;
    context.stroke(paths[SHOWN.rejected]);
    context.lineWidth = OUTLINE;
    context.strokeStyle = COLOURS.lesion;
    context.stroke(paths[SHOWN.lesion]);
  }

  /** With a gap, so that what is looked at stays free. */
  private crosshair(
    context: CanvasRenderingContext2D,
    [across, up]: readonly [number, number, number],
    [x, y]: readonly [Line, Line],
    [left, top, wide, high]: Box,
  ): void {
    const [cx, cy] = [
      Math.round(x.offset + x.step * (this.voxel[across]! + 0.5)) + 0.5,
      Math.round(y.offset + y.step * (this.voxel[up]! + 0.5)) + 0.5,
    ];
    context.lineWidth = 1;
    context.strokeStyle = COLOURS.crosshair;
    context.beginPath();
    for (const [fromX, fromY, toX, toY] of [
      [left, cy, cx - GAP, cy],
      [cx + GAP, cy, left + wide, cy],
      [cx, top, cx, cy - GAP],
      [cx, cy + GAP, cx, top + high],
    ] as const) {
      context.moveTo(fromX, fromY);
      context.lineTo(toX, toY);
    }
    context.stroke();
  }

  /** Of the crosshair, in the study. */
  private get voxel(): number[] {
    const { first } = this.crop;
    const own = this.view.frac2vox(this.view.scene.crosshairPos);
    return [0, 1, 2].map((axis) => own[axis]! + first[axis]!);
  }
}
