/** The place of the voxels in space, by a NIfTI header: sform, qform or the voxel size alone. */
import { NIFTI1, type NIFTI2 } from "nifti-reader-js";
import { UserError } from "../core/errors";
import { GRID_TOLERANCE_MM, gridDistance, isInvertible } from "./affine";
import { type Affine, type Size3, voxelSize } from "./volume";

export interface Geometry {
  readonly affine: Affine;
  /** The part of the header that the affine comes from; "pixdim" has no orientation and no origin. */
  readonly geometry: "sform" | "qform" | "pixdim";
}

/** Plausible edge of a voxel in mm; beyond it the header's units or sizes are wrong. */
const VOXEL_EDGE_MM = [0.01, 100] as const;

/**
 * The sform where its code is above 0, else the qform, else the voxel size alone (the standard's
 * method 1). A negative voxel size counts without its sign, as in nibabel.
 *
 * @param header as nifti-reader-js decodes it
 * @param view of the header's bytes
 * @param notes collects a line for each thing that was decided by rule
 * @throws UserError when no part of the header says where the voxels lie
 */
export function readGeometry(
  header: NIFTI1 | NIFTI2,
  view: DataView,
  size: Size3,
  name: string,
  notes: string[],
): Geometry {
  const { sform_code, qform_code } = header;
  const sform = sform_code > 0 ? sformAffine(header, view) : undefined;
  const qform = qform_code > 0 ? qformAffine(header) : undefined;
  if (sform && isInvertible(sform)) {
    const affine = inMillimetres(sform, header, name, notes);
    noteContradiction(header, sform, qform, size, name, notes);
    return { affine, geometry: "sform" };
  }
  const affine = qform_code > 0 ? qform : sform ? undefined : voxelSizeAffine(header);
  if (!affine || !isInvertible(affine)) {
    throw new UserError(
      `${name}: no usable geometry in the header (sform_code ${sform_code}, qform_code ` +
        `${qform_code}, voxel size ${header.pixDims.slice(1, 4).join("×")}` +
        `${sform ? ", singular sform" : ""}); ` +
        "copy it from an image on the same grid, e.g. with fslcpgeom, or export it again",
    );
  }
  if (sform) notes.push(`${name}: its sform is singular; its qform is used`);
  const geometry = qform_code > 0 ? "qform" : "pixdim";
  if (geometry === "pixdim") {
    notes.push(`${name}: no orientation in the header; its axes are taken as right, front, up`);
  }
  return { affine: inMillimetres(affine, header, name, notes), geometry };
}

function sformAffine(header: NIFTI1 | NIFTI2, view: DataView): Affine {
  const rows = Array.from({ length: 12 }, (_, i) =>
    header instanceof NIFTI1
      ? view.getFloat32(280 + 4 * i, header.littleEndian)
      : view.getFloat64(400 + 8 * i, header.littleEndian),
  );
  return [...rows, 0, 0, 0, 1];
}

type Edges = readonly [dx: number, dy: number, dz: number];

/** The voxel's edges in the header's unit; undefined where one of them is 0 or no number. */
function edgesOf({ pixDims }: NIFTI1 | NIFTI2): Edges | undefined {
  const [, dx, dy, dz] = pixDims.map(Math.abs) as [number, number, number, number];
  return dx > 0 && dy > 0 && dz > 0 ? [dx, dy, dz] : undefined;
}

function qformAffine(header: NIFTI1 | NIFTI2): Affine | undefined {
  const edges = edgesOf(header);
  if (!edges) return undefined;
  const { quatern_b, quatern_c, quatern_d, qoffset_x, qoffset_y, qoffset_z, pixDims } = header;
  const quaternion = [quatern_b, quatern_c, quatern_d] as const;
  const offset = [qoffset_x, qoffset_y, qoffset_z] as const;
  return header
    .convertNiftiQFormToNiftiSForm(...quaternion, ...offset, ...edges, pixDims[0]!)
    .flat();
}

function voxelSizeAffine(header: NIFTI1 | NIFTI2): Affine | undefined {
  const edges = edgesOf(header);
  if (!edges) return undefined;
  const [dx, dy, dz] = edges;
  return [dx, 0, 0, 0, 0, dy, 0, 0, 0, 0, dz, 0, 0, 0, 0, 1];
}

/** Tools that move an image write one of the two forms only: then they say different places. */
function noteContradiction(
  header: NIFTI1 | NIFTI2,
  sform: Affine,
  qform: Affine | undefined,
  size: Size3,
  name: string,
  notes: string[],
): void {
  if (!qform || !isInvertible(qform)) return;
  const apart = unitOf(header).mm * gridDistance({ size, affine: sform }, { size, affine: qform });
  if (!(apart > GRID_TOLERANCE_MM)) return;
  notes.push(
    `${name}: its sform and its qform contradict each other (corners up to ` +
      `${Number(apart.toPrecision(3))} mm apart); its sform is used`,
  );
}

function unitOf(header: NIFTI1 | NIFTI2): { readonly mm: number; readonly word: string } {
  const unit = header.xyzt_units & NIFTI1.SPATIAL_UNITS_MASK;
  if (unit === NIFTI1.UNITS_METER) return { mm: 1000, word: "metres" };
  if (unit === NIFTI1.UNITS_MICRON) return { mm: 0.001, word: "micrometres" };
  return { mm: 1, word: "millimetres" };
}

function inMillimetres(
  affine: Affine,
  header: NIFTI1 | NIFTI2,
  name: string,
  notes: string[],
): Affine {
  const { mm: factor, word } = unitOf(header);
  if (factor !== 1) notes.push(`${name}: its geometry is in ${word}, converted to mm`);
  const scaled = affine.map((value, index) => (index < 12 ? value * factor : value));
  const edges = voxelSize(scaled);
  if (edges.some((mm) => mm < VOXEL_EDGE_MM[0] || mm > VOXEL_EDGE_MM[1])) {
    throw new UserError(
      `${name}: voxels of ${edges.map((mm) => Number(mm.toPrecision(3))).join("×")} mm (header in ` +
        `${word}); expected ${VOXEL_EDGE_MM.join(" to ")} mm; correct the header's units or voxel size`,
    );
  }
  return scaled;
}
