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

export function watchPointer(
  canvas: HTMLCanvasElement,
  i: 0 | 1,
  host: () => PointerHost | undefined,
) {
  let stroke: Stroke | undefined;
  let last: Voxel | undefined;
  let windowing = false;

  const paint = (event: PointerEvent) => {
    const { panels, reading, radius, painted } = host()!;
    const box = canvas.getBoundingClientRect();
    const found = panels.under(i, event.clientX - box.left, event.clientY - box.top);
    if (!found || !stroke) return;
    const { grid } = reading.study;
    for (const voxel of between(last ?? found.voxel, found.voxel)) {
      stroke.paint(disk(voxel, found.plane, radius, grid.size, voxelSize(grid.affine)));
    }
    last = found.voxel;
    painted.call(host(), false);
  };

  const down = (event: PointerEvent) => {
    const now = host();
    if (!now) return;
    if (event.button === 2) {
      windowing = true;
    } else if (event.button === 0 && now.tool !== "navigate") {
      stroke = now.reading.stroke(now.tool === "erase", now.selected);
      last = undefined;
    } else return;
    stop(event);
    canvas.setPointerCapture(event.pointerId);
    if (stroke) paint(event);
  };

  const move = (event: PointerEvent) => {
    if (stroke) paint(event);
    else if (windowing) {
      const { windows } = host()!.panels;
      windows.contrast(1 + event.movementX / PIXELS);
      windows.brighten(-event.movementY / PIXELS);
    } else return;
    stop(event);
  };

  const up = () => {
    windowing = false;
    if (!stroke) return;
    stroke.end();
    stroke = undefined;
    host()?.painted(true);
  };

  canvas.addEventListener("pointerdown", down, { capture: true });
  canvas.addEventListener("pointermove", move, { capture: true });
  for (const end of ["pointerup", "pointercancel"] as const) canvas.addEventListener(end, up);
  // NiiVue listens to the mouse and to touches, which follow the pointer.
  for (const name of ["mousedown", "mousemove", "mouseup", "touchstart", "touchmove", "touchend"]) {
    const own = (event: Event) => {
      const isRight = event instanceof MouseEvent && event.button === 2;
      if (stroke || windowing || isRight || host()?.tool !== "navigate") stop(event);
    };
    canvas.addEventListener(name, own, { capture: true });
  }
  canvas.addEventListener(
    "dblclick",
    (event) => {
      stop(event);
      host()?.panels.windows.reset();
    },
    { capture: true },
  );
}

function stop(event: Event): void {
  event.stopImmediatePropagation();
  if (event.cancelable) event.preventDefault();
}
