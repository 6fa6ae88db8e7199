"""The metrics of `bun run evaluate` written a second time, with numpy and scipy.

Reads JSON lines {"size": [nx, ny, nz], "spacing": [x, y, z] in mm, "reference": runs,
"prediction": runs}, a run being [first voxel, length], x fastest. Writes a JSON line per pair: the
metrics of the MSSEG-2 challenge, and "AnimaSurfaceDistance", the surface distance with the running
minimum of its evaluation tool; null where a metric is not defined.
"""

import json
import math
import sys

import numpy as np
from scipy import ndimage


def mask_of(runs, size):
    flat = np.zeros(size[0] * size[1] * size[2], bool)
    for first, length in runs:
        flat[first : first + length] = True
    return flat.reshape(size[::-1])


def lesions_of(mask, min_voxels):
    labels, count = ndimage.label(mask)  # faces
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    kept = [label for label in range(1, count + 1) if sizes[label] >= min_voxels]
    kept.sort(key=lambda label: -sizes[label])  # stable: the order in memory breaks ties
    renumber = np.zeros(count + 1, int)
    for number, label in enumerate(kept, 1):
        renumber[label] = number
    return renumber[labels], len(kept)


def detected(table):
    found = 0
    for row in table[1:]:
        hits = row[1:].sum()
        if not hits / row.sum() > 0.10:
            continue
        visited, passed = 0, True
        for j in sorted(np.flatnonzero(row[1:]) + 1, key=lambda j: (-row[j], j)):
            if table[0, j] / table[:, j].sum() > 0.70:
                passed = False
                break
            visited += row[j]
            if visited / hits >= 0.65:
                break
        found += passed
    return found


def contour_of(mask):
    return mask & ~ndimage.binary_erosion(mask, border_value=1)


def scores_of(reference, prediction, spacing):
    voxel = spacing[0] * spacing[1] * spacing[2]
    min_voxels = math.floor(3 / voxel) + 1
    ref_labels, ref_count = lesions_of(reference, min_voxels)
    pred_labels, pred_count = lesions_of(prediction, min_voxels)
    if not reference.any():
        return {
            "NbTestedLesions": pred_count,
            "VolTestedLesions": float((pred_labels > 0).sum() * voxel),
        }

    tp = int((reference & prediction).sum())
    fp = int((~reference & prediction).sum())
    fn = int((reference & ~prediction).sum())
    tn = int((~reference & ~prediction).sum())
    share = lambda part, whole: part / whole if whole else None
    out = {
        "Jaccard": share(tp, tp + fp + fn),
        "Dice": share(2 * tp, 2 * tp + fp + fn),
        "Sensitivity": share(tp, tp + fn),
        "Specificity": share(tn, tn + fp),
        "PPV": share(tp, tp + fp),
        "NPV": share(tn, tn + fn),
        "RelativeVolumeError": 100 * (fp - fn) / (tp + fn),
    }

    sampling = spacing[::-1]
    contours = [contour_of(reference), contour_of(prediction)]
    if contours[0].any() and contours[1].any():
        to = [ndimage.distance_transform_edt(~m, sampling=sampling) for m in (reference, prediction)]
        out["HausdorffDistance"] = float(max(to[1][reference].max(), to[0][prediction].max()))
        near = [ndimage.distance_transform_edt(~c, sampling=sampling) for c in contours]
        there, back = near[1][contours[0]], near[0][contours[1]]
        both = len(there) + len(back)
        out["ContourMeanDistance"] = float(max(there.mean(), back.mean()))
        out["SurfaceDistance"] = float((there.sum() + back.sum()) / both)
        running = np.minimum.accumulate(there).sum() + np.minimum.accumulate(back).sum()
        out["AnimaSurfaceDistance"] = float(running / both)

    table = np.zeros((ref_count + 1, pred_count + 1), int)
    np.add.at(table, (ref_labels.ravel(), pred_labels.ravel()), 1)
    ppvl = detected(table.T) / pred_count if pred_count else 0
    out["PPVL"] = ppvl
    if ref_count:
        sensl = detected(table) / ref_count
        out["SensL"] = sensl
        out["F1_score"] = 2 * sensl * ppvl / (sensl + ppvl) if sensl + ppvl else 0
    return out


NAMES = (
    "Jaccard Dice Sensitivity Specificity PPV NPV RelativeVolumeError HausdorffDistance "
    "ContourMeanDistance SurfaceDistance AnimaSurfaceDistance PPVL SensL F1_score "
    "NbTestedLesions VolTestedLesions"
).split()

for line in sys.stdin:
    pair = json.loads(line)
    masks = [mask_of(pair[name], pair["size"]) for name in ("reference", "prediction")]
    scores = scores_of(*masks, pair["spacing"])
    print(json.dumps([scores.get(name) for name in NAMES]))
