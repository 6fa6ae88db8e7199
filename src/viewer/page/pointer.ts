/** The mouse, the pen and the finger on the pictures: drawing and grey windows; NiiVue has the rest. */
import { voxelSize } from "../../data/volume";
import { between, disk, type Voxel } from "./brush";
import type { Panels } from "./panels";
import type { Reading, Stroke } from "./reading";
import type { Tool } from "./view_state";

export interface PointerHost {
  readonly panels: Panels;
  readonly reading: Reading;
  readonly tool: Tool;
  /** Of the brush, mm. */
  readonly radius: number;
  readonly selected: number | undefined;
  /** While a stroke goes on, and at its end. */
  painted(ended: boolean): void;
}

/** Contrast and brightness for a move of so many pixels. */
const PIXELS = 200;

/** Two fingers that are this much farther apart, or nearer, zoom. */
const PINCH = 0.03;

/** What a pointer that is down does. */
type Doing =
  | { readonly kind: "stroke"; readonly stroke: Stroke; last?: Voxel }
  | { readonly kind: "window" }
  | { readonly kind: "crosshair" };

interface Finger {
  readonly x: number;
  readonly y: number;
}

export function watchPointer(
  canvas: HTMLCanvasElement,
  i: 0 | 1,
  host: () => PointerHost | undefined,
): void {
  const pointer = new CanvasPointer(canvas, i, host);
  const capture = { capture: true };
  canvas.addEventListener("pointerdown", (event) => pointer.down(event), capture);
  canvas.addEventListener("pointermove", (event) => pointer.move(event), capture);
  for (const end of ["pointerup", "pointercancel"] as const) {
    canvas.addEventListener(end, (event) => pointer.up(event));
  }
  // NiiVue listens to the mouse and to touches, which follow the pointer: it gets the mouse's left button.
  for (const name of ["mousedown", "mousemove", "mouseup"] as const) {
    canvas.addEventListener(name, (event) => pointer.isOurs(event) && stop(event), capture);
  }
  for (const name of ["touchstart", "touchmove", "touchend"] as const) {
    canvas.addEventListener(name, stop, { capture: true, passive: false });
  }
  const reset = (event: Event) => {
    stop(event);
    host()?.panels.windows.reset();
  };
  canvas.addEventListener("dblclick", reset, capture);
}

class CanvasPointer {
  private doing: Doing | undefined;
  /** Fingers that are down, by their pointers. */
  private readonly fingers = new Map<number, Finger>();
  /** Of two fingers, when they last zoomed. */
  private apart = 0;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly i: 0 | 1,
    private readonly host: () => PointerHost | undefined,
  ) {}

  down(event: PointerEvent): void {
    const host = this.host();
    if (!host) return;
    if (event.pointerType === "touch") {
      this.fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      // A second finger is no stroke: what the first has drawn ends here.
      if (this.fingers.size > 1) {
        this.end();
        this.apart = spreadOf(this.fingers);
        return;
      }
    }
    this.doing = this.begin(event, host);
    if (!this.doing) return;
    stop(event);
    this.canvas.setPointerCapture(event.pointerId);
    this.go(event);
  }

  private begin({ button, pointerType }: PointerEvent, host: PointerHost): Doing | undefined {
    if (button === 2) return { kind: "window" };
    if (button !== 0) return undefined;
    if (host.tool !== "navigate") {
      return { kind: "stroke", stroke: host.reading.stroke(host.tool === "erase", host.selected) };
    }
    return pointerType === "mouse" ? undefined : { kind: "crosshair" };
  }

  move(event: PointerEvent): void {
    if (this.fingers.has(event.pointerId)) this.pinch(event);
    if (!this.doing) return;
    this.go(event);
    stop(event);
  }

  up(event: PointerEvent): void {
    this.fingers.delete(event.pointerId);
    // A slow page may never have heard of the last movement.
    if (event.type === "pointerup" && this.doing?.kind === "stroke") this.go(event);
    this.end();
  }

  /** Whether NiiVue must not see an event of the mouse. */
  isOurs({ button }: MouseEvent): boolean {
    return this.doing !== undefined || button === 2 || this.host()?.tool !== "navigate";
  }

  private end(): void {
    const { doing } = this;
    this.doing = undefined;
    if (doing?.kind !== "stroke") return;
    doing.stroke.end();
    this.host()?.painted(true);
  }

  private go(event: PointerEvent): void {
    const host = this.host();
    if (!host || !this.doing) return;
    const { panels } = host;
    if (this.doing.kind === "window") {
      panels.windows.contrast(1 + event.movementX / PIXELS);
      panels.windows.brighten(-event.movementY / PIXELS);
      return;
    }
    const box = this.canvas.getBoundingClientRect();
    const found = panels.under(this.i, event.clientX - box.left, event.clientY - box.top);
    if (!found) return;
    if (this.doing.kind === "crosshair") {
      panels.moveTo(found.voxel);
      return;
    }
    const { grid } = host.reading.study;
    for (const voxel of between(this.doing.last ?? found.voxel, found.voxel)) {
      const voxels = disk(voxel, found.plane, host.radius, grid.size, voxelSize(grid.affine));
      this.doing.stroke.paint(voxels);
    }
    this.doing.last = found.voxel;
    host.painted(false);
  }

  /** Two fingers: nearer, farther, and along. */
  private pinch({ pointerId, clientX, clientY }: PointerEvent): void {
    const from = middleOf(this.fingers);
    this.fingers.set(pointerId, { x: clientX, y: clientY });
    const panels = this.host()?.panels;
    if (this.fingers.size !== 2 || !panels) return;
    const to = middleOf(this.fingers);
    const { left, top } = this.canvas.getBoundingClientRect();
    const inCanvas = ({ x, y }: Finger) => [x - left, y - top] as const;
    panels.pan(this.i, inCanvas(from), inCanvas(to));
    const apart = spreadOf(this.fingers);
    const factor = this.apart > 0 ? apart / this.apart : 1;
    // A small change waits for more of it.
    if (Math.abs(factor - 1) < PINCH) return;
    panels.zoom(factor);
    this.apart = apart;
  }
}

/** Between two fingers. */
function middleOf(fingers: ReadonlyMap<number, Finger>): Finger {
  const [a, b] = [...fingers.values()];
  return a && b ? { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 } : { x: 0, y: 0 };
}

/** Pixels from one finger to the other. */
function spreadOf(fingers: ReadonlyMap<number, Finger>): number {
  const [a, b] = [...fingers.values()];
  return a && b ? Math.hypot(a.x - b.x, a.y - b.y) : 0;
}

function stop(event: Event): void {
  event.stopImmediatePropagation();
  if (event.cancelable) event.preventDefault();
}
