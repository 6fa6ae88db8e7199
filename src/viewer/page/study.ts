/**
 * A result as the page shows it: every image in the order right, anterior, superior, so that a voxel has one
 * index in images, drawing and mask alike, and NiiVue has nothing to reorder. Back in the file's order only
 * when it is saved.
 */

import { type Grid, type Mask, type Volume, voxelAt } from "../../data/volume";
import {
  inOrder,
  inverseOrder,
  type Ordered,
  orderTo,
  type VoxelOrder,
} from "../../data/voxel_order";
import { everyNth, greyWindow } from "../../pictures/slice";
import type { Decisions } from "../../result/decisions";
import { checkedLabels } from "../../result/parts";
import { RESULT_FILES, type ResultRecord } from "../../result/record";
import { differenceOf } from "./difference";
import type { ShownResult } from "./source";

/** Grey values of black and white. */
export type GreyWindow = readonly [black: number, white: number];

export interface Study {
  /** Of scans alone: the line in place of an answer. */
  readonly preview?: string;
  readonly record: ResultRecord;
  readonly decisions?: Decisions;
  readonly grid: Grid;
  readonly visits: readonly [Volume, Volume];
  /** Of each visit, to start with. */
  readonly windows: readonly [GreyWindow, GreyWindow];
  /** Read, or computed, when it is asked for. */
  readonly probability?: () => Promise<Volume>;
  /** z of the change statistic, else of the plain difference. */
  readonly difference: () => Promise<Volume>;
  /** Per voxel the id of its lesion, 0 outside. */
  readonly labels: Uint16Array;
  /** Of an earlier reading. */
  readonly corrected?: Uint8Array;
  /** Brings the files' order into this one. */
  readonly order: VoxelOrder;
}

/** Every so many voxels are looked at for the grey window. */
const SAMPLED = 37;

/** @throws UserError where the mask is not the one that the record is about */
export function studyOf(opened: ShownResult): Study {
  const { record, decisions, mask, preview } = opened;
  const order = orderTo(mask.affine, "RAS");
  const toRas = <I extends Ordered>(image: I): I => inOrder(image, order);
  const visits = [toRas(opened.visit1), toRas(opened.visit2)] as const;
  const ids = new Uint16Array(checkedLabels(mask, record, RESULT_FILES.mask));
  const labels = toRas({ ...mask, data: ids });
  const windows = visits.map(({ data }) => greyWindow(everyNth(data, SAMPLED)));
  const { probability, change, corrected } = opened;
  return {
    ...{ record, decisions, preview, order, visits },
    grid: { size: labels.size, affine: labels.affine },
    windows: [windows[0]!, windows[1]!],
    probability: probability && (async () => toRas(await probability())),
    difference: async () => (change ? toRas(await change()) : differenceOf(...visits)),
    labels: labels.data,
    corrected: corrected && toRas(corrected).data,
  };
}

/** A mask in the page's order, in that of the files. */
export function inFileOrder({ grid, order }: Study, data: Uint8Array): Mask {
  return inOrder({ ...grid, data }, inverseOrder(order));
}

/** The index in the files of a voxel of the page. */
export function fileIndex({ grid, order }: Study, index: number): number {
  const at = voxelAt(index, grid.size);
  const old = [0, 0, 0];
  const size = [0, 0, 0];
  order.axes.forEach((axis, t) => {
    size[axis] = grid.size[t]!;
    old[axis] = order.flipped[t] ? grid.size[t]! - 1 - at[t]! : at[t]!;
  });
  return old[0]! + size[0]! * (old[1]! + size[1]! * old[2]!);
}
