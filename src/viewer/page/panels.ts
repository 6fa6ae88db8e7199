/** The two visits in three planes each, drawn by NiiVue, with one crosshair. */
import {
  DRAG_MODE,
  MULTIPLANAR_TYPE,
  Niivue,
  NVImage,
  SHOW_RENDER,
  SLICE_TYPE,
} from "@niivue/niivue";
import { encodeNifti } from "../../data/nifti_encode";
import type { Volume } from "../../data/volume";
import type { Plane, Voxel } from "./brush";
import { type Crop, cropOf, cropped } from "./crop";
import { LinkedWindows } from "./grey_windows";
import { Marks } from "./marks";
import type { Reading } from "./reading";
import type { Study } from "./study";

export const OVERLAYS = ["difference", "probability"] as const;
export type Overlay = (typeof OVERLAYS)[number];

/** The plane that is read gets the room; the others lie below it, or beside it where the panel is wide. */
const TALL = [
  { sliceType: SLICE_TYPE.AXIAL, position: [0, 0, 1, 0.62] },
  { sliceType: SLICE_TYPE.CORONAL, position: [0, 0.62, 0.5, 0.38] },
  { sliceType: SLICE_TYPE.SAGITTAL, position: [0.5, 0.62, 0.5, 0.38] },
] as const;
const WIDE = [
  { sliceType: SLICE_TYPE.AXIAL, position: [0, 0, 0.6, 1] },
  { sliceType: SLICE_TYPE.CORONAL, position: [0.6, 0, 0.4, 0.5] },
  { sliceType: SLICE_TYPE.SAGITTAL, position: [0.6, 0.5, 0.4, 0.5] },
] as const;
const ONE_PLANE = [{ sliceType: SLICE_TYPE.AXIAL, position: [0, 0, 1, 1] }] as const;
/** Width by height of a panel from which it is wide. */
const WIDE_FROM = 1.2;

const PLANES: Readonly<Record<number, Plane>> = {
  [SLICE_TYPE.AXIAL]: "axial",
  [SLICE_TYPE.CORONAL]: "coronal",
  [SLICE_TYPE.SAGITTAL]: "sagittal",
};

/** |z| from which the difference is seen, and where its colour ends. */
const Z_RANGE = [3, 10] as const;
const PROBABILITY_RANGE = [0.1, 1] as const;

const OPTIONS = {
  ...{ backColor: [0, 0, 0, 1], fontColor: [0.6, 0.64, 0.69, 1], fontMinPx: 13, tileMargin: 2 },
  // The page draws the crosshair itself (marks.ts).
  crosshairWidth: 0,
  ...{ isRadiologicalConvention: true, sagittalNoseLeft: true, isOrientationTextVisible: true },
  ...{ multiplanarShowRender: SHOW_RENDER.NEVER, multiplanarLayout: MULTIPLANAR_TYPE.GRID },
  ...{ dragAndDropEnabled: false, isColorbar: false, show3Dcrosshair: false },
  ...{ viewModeHotKey: "", clipPlaneHotKey: "", cycleClipPlaneHotKey: "" },
  logLevel: "error" as const,
  mouseEventConfig: {
    leftButton: { primary: DRAG_MODE.crosshair, withShift: DRAG_MODE.pan },
    // The page moves both grey windows itself (pointer.ts).
    rightButton: DRAG_MODE.none,
    centerButton: DRAG_MODE.pan,
  },
  touchEventConfig: { singleTouch: DRAG_MODE.crosshair, doubleTouch: DRAG_MODE.pan },
};

export type Views = readonly [Niivue, Niivue];

export class Panels {
  private readonly resized: ResizeObserver;
  private three = true;
  /** Made when they are first seen. */
  private readonly overlays = new Map<Overlay, Promise<readonly NVImage[]>>();

  private constructor(
    private readonly study: Study,
    private readonly crop: Crop,
    private readonly views: Views,
    private readonly marks: readonly Marks[],
    readonly windows: LinkedWindows,
  ) {
    this.resized = new ResizeObserver(() => this.layOut());
    for (const view of views) this.resized.observe(view.canvas!);
    this.layOut();
    this.link();
  }

  static async open(reading: Reading, views: Views): Promise<Panels> {
    const { study } = reading;
    const { visits, windows } = study;
    const crop = cropOf(study);
    const marks = views.map((view) => new Marks(view, reading, crop));
    for (const i of [0, 1] as const) {
      const part = cropped(visits[i], crop);
      views[i].addVolume(await imageOf(`visit${i + 1}`, part, "gray", windows[i]));
      requireOrder(views[i]);
    }
    return new Panels(study, crop, views, marks, new LinkedWindows(views, windows));
  }

  /** A crosshair that is moved in one view moves in the other. */
  private link(): void {
    for (const [view, other] of [this.views, this.views.toReversed()] as [Niivue, Niivue][]) {
      view.onLocationChange = () => {
        other.scene.crosshairPos = view.scene.crosshairPos;
        other.scene.pan2Dxyzmm = view.scene.pan2Dxyzmm;
        other.drawScene();
      };
    }
  }

  get voxel(): Voxel {
    const [view] = this.views;
    return this.inStudy(view.frac2vox(view.scene.crosshairPos));
  }

  moveTo(voxel: Voxel): void {
    const { first, size } = this.crop;
    const own = voxel.map((v, axis) => Math.min(size[axis]! - 1, Math.max(0, v - first[axis]!)));
    const clamped: Voxel = [own[0]!, own[1]!, own[2]!];
    for (const view of this.views) {
      view.scene.crosshairPos = view.vox2frac([...clamped]);
      view.drawScene();
    }
  }

  /** Nearer to the crosshair by a factor, or with 0 back to the whole. */
  zoom(factor: number): void {
    for (const view of this.views) {
      const pan = view.scene.pan2Dxyzmm;
      const now = factor === 0 ? 1 : Math.min(10, Math.max(1, pan[3]! * factor));
      const [x = 0, y = 0, z = 0] = view.frac2mm(view.scene.crosshairPos);
      // As NiiVue's wheel: the crosshair stays where it is.
      const change = now - pan[3]!;
      view.setPan2Dxyzmm(
        now === 1
          ? [0, 0, 0, 1]
          : [pan[0]! - change * x, pan[1]! - change * y, pan[2]! - change * z, now],
      );
    }
  }

  /**
   * Moves both pictures along with what is under a place of one of them; as a whole they stay.
   * @param from @param to pixels of the page in its canvas
   */
  pan(i: 0 | 1, from: readonly [number, number], to: readonly [number, number]): void {
    const view = this.views[i];
    const [x, y, z, zoom] = view.scene.pan2Dxyzmm as [number, number, number, number];
    if (zoom === 1) return;
    const { dpr = 1 } = view.uiData;
    const end = view.screenXY2mm(to[0] * dpr!, to[1] * dpr!);
    const start = view.screenXY2mm(from[0] * dpr!, from[1] * dpr!, end[3]);
    const along = [0, 1, 2].map((axis) => zoom * (end[axis]! - start[axis]!));
    if (along.some(Number.isNaN)) return;
    const [dx, dy, dz] = along as [number, number, number];
    for (const each of this.views) each.setPan2Dxyzmm([x + dx, y + dy, z + dz, zoom]);
  }

  showPlanes(three: boolean): void {
    this.three = three;
    this.layOut();
  }

  private layOut(): void {
    for (const view of this.views) {
      const { clientWidth, clientHeight, parentElement } = view.canvas!;
      const isWide = this.three && clientWidth > WIDE_FROM * clientHeight;
      // The caption ends before the letter in the middle above the axial plane.
      parentElement!.toggleAttribute("data-wide", isWide);
      const three = isWide ? WIDE : TALL;
      const layout = (this.three ? three : ONE_PLANE).map(({ sliceType, position }) => ({
        sliceType,
        position: [...position] as [number, number, number, number],
      }));
      const isShown = JSON.stringify(layout) === JSON.stringify(view.getCustomLayout());
      if (!isShown) view.setCustomLayout(layout);
    }
  }

  setRadiological(radiological: boolean): void {
    for (const view of this.views) view.setRadiologicalConvention(radiological);
  }

  /** @param opacity 0 takes it away */
  async showOverlay(overlay: Overlay, opacity: number): Promise<void> {
    const made = this.overlays.get(overlay) ?? this.makeOverlay(overlay);
    this.overlays.set(overlay, made);
    const images = await made;
    this.views.forEach((view, i) => {
      const image = images[i];
      if (!image) return;
      const index = view.volumes.indexOf(image);
      image.opacity = opacity;
      if (opacity === 0 && index > 0) view.removeVolume(image);
      else if (opacity > 0 && index < 0) view.addVolume(image);
      else if (index > 0) view.setOpacity(index, opacity);
    });
  }

  /** One for each view: NiiVue keeps the state of a view in its images. */
  private async makeOverlay(overlay: Overlay): Promise<readonly NVImage[]> {
    const { difference, probability } = this.study;
    const volume = overlay === "difference" ? difference : probability;
    if (!volume) return [];
    const part = cropped(await volume(), this.crop);
    const make = async () => {
      if (overlay === "probability") return imageOf(overlay, part, "plasma", PROBABILITY_RANGE);
      const image = await imageOf(overlay, part, "warm", Z_RANGE);
      image.colormapNegative = "winter";
      return Object.assign(image, { cal_minNeg: -Z_RANGE[1], cal_maxNeg: -Z_RANGE[0] });
    };
    return [await make(), await make()];
  }

  showOutlines(visible: boolean): void {
    for (const marks of this.marks) {
      marks.outlines = visible;
      marks.draw();
    }
  }

  /** After the reading has changed. */
  refresh(): void {
    for (const marks of this.marks) marks.draw();
  }

  private inStudy(own: ArrayLike<number>): Voxel {
    const [x, y, z] = this.crop.first;
    return [own[0]! + x, own[1]! + y, own[2]! + z];
  }

  /** The voxel under a place of a canvas and the plane that shows it, where there is one. */
  under(i: 0 | 1, x: number, y: number): { voxel: Voxel; plane: Plane } | undefined {
    const view = this.views[i];
    const { dpr = 1 } = view.uiData;
    const at = [x * dpr!, y * dpr!] as const;
    const tile = view.screenSlices[view.tileIndex(...at)];
    const plane = tile && PLANES[tile.axCorSag];
    const frac = view.canvasPos2frac([...at]);
    if (!plane || !frac || frac[0]! < 0) return undefined;
    return { voxel: this.inStudy(view.frac2vox(frac)), plane };
  }

  close(): void {
    this.resized.disconnect();
    for (const marks of this.marks) marks.close();
    closeViews(this.views);
  }
}

/** NiiVue on both canvases, without pictures: it compiles its shaders. @throws Error without WebGL 2 */
export async function openViews(
  canvases: readonly [HTMLCanvasElement, HTMLCanvasElement],
): Promise<Views> {
  const views = [new Niivue(OPTIONS), new Niivue(OPTIONS)] as const;
  await Promise.all(views.map((view, i) => view.attachToCanvas(canvases[i]!)));
  return views;
}

export function closeViews(views: Views): void {
  for (const view of views) {
    const context = view.gl.getExtension("WEBGL_lose_context");
    view.cleanup();
    context?.loseContext();
  }
}

async function imageOf(
  name: string,
  volume: Volume,
  colours: string,
  [low, high]: readonly [number, number],
): Promise<NVImage> {
  const file = encodeNifti(volume, volume.data, name);
  const range = { cal_min: low, cal_max: high };
  const image = await NVImage.loadFromUrl({
    ...{ url: file.buffer, name: `${name}.nii`, colormap: colours, ...range },
  });
  image.colorbarVisible = false;
  return image;
}

/** NiiVue shows voxels in an order of its own; it must be that of the study, or a drawing would be elsewhere. */
function requireOrder({ volumes: [image] }: Niivue): void {
  if (image?.permRAS?.join() !== "1,2,3") {
    throw new Error(
      `NiiVue reorders the voxels of visit 1 (${image?.permRAS}): drawings would be misplaced`,
    );
  }
}
