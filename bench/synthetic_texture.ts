/**
 * A small classifier that tells generated visits from real ones by the texture of their patches
 * (docs/guides/generator.md): bun bench/synthetic_texture.ts REAL,REAL GENERATED
 *
 * Patches of 16³ voxels of 1 mm in the brain, described by moments, gradients and correlations along
 * each axis; logistic regression; each person's scans are judged by a classifier that has not seen that
 * person. A half would be chance.
 */
import { estimateBrain } from "../src/brain/estimate";
import { Philox } from "../src/core/random";
import { openCohort } from "../src/data/cohort";
import { readVolume } from "../src/data/nifti_read";
import { resampleTo } from "../src/data/resample";
import type { Volume } from "../src/data/volume";
import { inOrder } from "../src/data/voxel_order";
import { targetGrid, workingOrder } from "../src/data/working_grid";
import { originOf } from "../src/synthesis/cohort";
import { findSources } from "../src/synthesis/sources";
import { printResult } from "../src/terminal/result";

const EDGE = 16;
const PATCHES = 30;
const VISITS = 24;

interface Sample {
  readonly group: string;
  readonly generated: boolean;
  readonly features: Float64Array;
}

const NAMES = [
  ...["deviation", "skewness", "kurtosis", "darkest", "brightest"],
  ...["x", "y", "z"].flatMap((axis) => [
    `gradient ${axis}`,
    `second ${axis}`,
    `second over gradient ${axis}`,
  ]),
  ...["x", "y", "z"].map((axis) => `correlation over 3 mm ${axis}`),
];

/** Of a patch whose mean is 1. */
function featuresOf(
  data: Float32Array,
  [nx, ny]: readonly number[],
  at: readonly number[],
): Float64Array {
  const strides = [1, nx!, nx! * ny!];
  const index = (x: number, y: number, z: number) => x + y * strides[1]! + z * strides[2]!;
  const origin = index(at[0]!, at[1]!, at[2]!);
  const values: number[] = [];
  for (let z = 0; z < EDGE; z++)
    for (let y = 0; y < EDGE; y++)
      for (let x = 0; x < EDGE; x++) values.push(data[origin + index(x, y, z)]!);
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const moment = (k: number) =>
    values.reduce((sum, v) => sum + (v / mean - 1) ** k, 0) / values.length;
  const deviation = Math.sqrt(moment(2)) + 1e-6;
  const sorted = values.toSorted((a, b) => a - b);
  const share = (q: number) => sorted[Math.floor(q * (sorted.length - 1))]! / mean;
  const out = [
    Math.log(deviation),
    moment(3) / deviation ** 3,
    Math.log(1e-3 + moment(4) / deviation ** 4),
    share(0.02),
    share(0.98),
  ];
  const along: number[] = [];
  for (const stride of strides) {
    let [first, second, far] = [0, 0, 0];
    for (let z = 3; z < EDGE - 3; z++)
      for (let y = 3; y < EDGE - 3; y++)
        for (let x = 3; x < EDGE - 3; x++) {
          const i = origin + index(x, y, z);
          first += ((data[i + stride]! - data[i - stride]!) / (2 * mean)) ** 2;
          second += ((data[i + stride]! + data[i - stride]! - 2 * data[i]!) / mean) ** 2;
          far += (data[i]! / mean - 1) * (data[i + 3 * stride]! / mean - 1);
        }
    const n = (EDGE - 6) ** 3;
    out.push(
      Math.log(1e-6 + first / n),
      Math.log(1e-6 + second / n),
      Math.log((1e-6 + second) / (1e-6 + first)),
    );
    along.push(far / n / deviation ** 2);
  }
  return Float64Array.from([...out, ...along]);
}

function patchesOf(image: Volume, group: string, generated: boolean, random: Philox): Sample[] {
  const brain = estimateBrain(image);
  const [nx, ny, nz] = image.size;
  const found: Sample[] = [];
  for (let trial = 0; trial < 4000 && found.length < PATCHES; trial++) {
    const at = [nx, ny, nz].map((n) => random.int(n - EDGE - 3) + 1);
    let inside = 0;
    for (let z = 0; z < EDGE; z += 3)
      for (let y = 0; y < EDGE; y += 3)
        for (let x = 0; x < EDGE; x += 3)
          inside += brain[((at[2]! + z) * ny + at[1]! + y) * nx + at[0]! + x]!;
    if (inside < 0.85 * 6 ** 3) continue;
    found.push({ group, generated, features: featuresOf(image.data, image.size, at) });
  }
  return found;
}

/** Ridge-regularised logistic regression by gradient descent on standardised features. */
function fit(samples: readonly Sample[]): (features: Float64Array) => number {
  const n = NAMES.length;
  const mean = NAMES.map(
    (_, j) => samples.reduce((s, { features }) => s + features[j]!, 0) / samples.length,
  );
  const scale = NAMES.map(
    (_, j) =>
      Math.sqrt(
        samples.reduce((s, { features }) => s + (features[j]! - mean[j]!) ** 2, 0) / samples.length,
      ) + 1e-9,
  );
  // Squares too: generated scans may be both smoother and rougher than real ones.
  const row = (features: Float64Array) => {
    const z = Array.from(features, (v, j) => Math.max(-4, Math.min(4, (v - mean[j]!) / scale[j]!)));
    return [1, ...z, ...z.map((v) => 0.5 * (v * v - 1))];
  };
  const rows = samples.map(({ features }) => row(features));
  const count = samples.filter(({ generated }) => generated).length;
  const w = new Float64Array(2 * n + 1);
  for (let step = 0; step < 400; step++) {
    const gradient = new Float64Array(w.length);
    for (const [i, { generated }] of samples.entries()) {
      const p = 1 / (1 + Math.exp(-rows[i]!.reduce((s, v, j) => s + v * w[j]!, 0)));
      const weight = generated ? 0.5 / count : 0.5 / (samples.length - count);
      for (let j = 0; j < w.length; j++) gradient[j]! += weight * (p - +generated) * rows[i]![j]!;
    }
    for (let j = 0; j < w.length; j++) w[j]! -= 0.5 * (gradient[j]! + 0.002 * w[j]!);
  }
  return (features) => row(features).reduce((s, v, j) => s + v * w[j]!, 0);
}

async function atOneMm(path: string): Promise<Volume> {
  const stored: Volume = await readVolume(path);
  return resampleTo(inOrder(stored, workingOrder(stored.affine)), targetGrid(stored, 1));
}

const [real = "", generated = ""] = process.argv.slice(2);
const random = new Philox(7);
const samples: Sample[] = [];
for (const { patient, image } of findSources(real.split(","))) {
  samples.push(...patchesOf(await atOneMm(image), patient, false, random));
}
const { patients } = await openCohort(generated);
for (let k = 0; k < Math.min(patients.length, VISITS); k++) {
  const patient = patients[Math.floor((k * patients.length) / Math.min(patients.length, VISITS))]!;
  const group = originOf(patient.time1.slice(0, patient.time1.lastIndexOf("/")))!.patient;
  const path = k % 2 ? patient.time1 : patient.time2;
  samples.push(...patchesOf(await atOneMm(path), group, true, random));
}
const groups = [...new Set(samples.map(({ group }) => group))];
const right = [0, 0];
const all = [0, 0];
for (const group of groups) {
  const score = fit(samples.filter((s) => s.group !== group));
  for (const s of samples.filter((each) => each.group === group)) {
    all[+s.generated]!++;
    if (score(s.features) > 0 === s.generated) right[+s.generated]!++;
  }
}
const percent = (v: number) => `${Math.round(100 * v)} %`;
const balanced = (right[0]! / all[0]! + right[1]! / all[1]!) / 2;
printResult(`${all[0]} real and ${all[1]} generated patches of ${groups.length} persons`);
printResult(
  `told apart: ${percent(balanced)} (real ${percent(right[0]! / all[0]!)}, generated ${percent(right[1]! / all[1]!)})`,
);
for (const [j, name] of NAMES.entries()) {
  const of = (g: boolean) => samples.filter((s) => s.generated === g).map((s) => s.features[j]!);
  const stats = [of(false), of(true)].map((v) => {
    const mean = v.reduce((a, b) => a + b, 0) / v.length;
    return { mean, deviation: Math.sqrt(v.reduce((a, b) => a + (b - mean) ** 2, 0) / v.length) };
  });
  const [r, g] = [stats[0]!, stats[1]!];
  const apart = (g.mean - r.mean) / Math.sqrt((g.deviation ** 2 + r.deviation ** 2) / 2);
  printResult(
    `${name.padEnd(28)} real ${r.mean.toFixed(2)} ± ${r.deviation.toFixed(2)}  generated ${g.mean.toFixed(2)} ± ${g.deviation.toFixed(2)}  ${apart.toFixed(2)} deviations apart`,
  );
}
