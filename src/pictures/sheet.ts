/** Skia's canvas, for the panels of a program. */
import { type Canvas, createCanvas } from "@napi-rs/canvas";
import type { Sheet } from "./panel";

export interface SkiaSheet extends Sheet {
  readonly canvas: Canvas;
}

export function newSheet(width: number, height: number): SkiaSheet {
  const canvas = createCanvas(width, height);
  return { width, canvas, context: canvas.getContext("2d") };
}
