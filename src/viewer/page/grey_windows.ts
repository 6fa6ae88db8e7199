/**
 * Grey windows of the two visits, moved together: each scanner has its own brightness, so that a change of one
 * counts in parts of its first window for the other. Flickering then shows change, not gain.
 */
import type { Niivue } from "@niivue/niivue";
import type { GreyWindow } from "./study";

/** Of the first window. */
const NARROWEST = 0.02;
const WIDEST = 20;

export class LinkedWindows {
  /** Of the first window: where black and white lie now. */
  private shares: readonly [number, number] = [0, 1];
  private waiting = false;

  constructor(
    private readonly views: readonly Niivue[],
    private readonly first: readonly GreyWindow[],
  ) {}

  /** @param factor below 1: narrower, more contrast */
  contrast(factor: number): void {
    const [low, high] = this.shares;
    const [middle, half] = [(low + high) / 2, ((high - low) / 2) * factor];
    this.set(middle - half, middle + half);
  }

  /** @param share above 0: brighter, in parts of the window */
  brighten(share: number): void {
    const [low, high] = this.shares;
    const step = share * (high - low);
    this.set(low - step, high - step);
  }

  reset(): void {
    this.set(0, 1);
  }

  private set(low: number, high: number): void {
    if (high - low < NARROWEST || high - low > WIDEST) return;
    this.shares = [low, high];
    if (this.waiting) return;
    // A mouse moves more often than a picture can be made.
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.views.forEach((view, i) => {
        const [black, white] = this.first[i]!;
        const image = view.volumes[0];
        if (!image) return;
        image.cal_min = black + this.shares[0] * (white - black);
        image.cal_max = black + this.shares[1] * (white - black);
        view.updateGLVolume();
      });
    });
  }
}
