/** The pairs of a cohort, made comparable as `predict` does it; what was found is kept in the cache. */
import { dirname } from "node:path";
import { UserError } from "../core/errors";
import { invertAffine } from "../data/affine";
import type { Patient } from "../data/cohort";
import { withoutHotVoxels } from "../data/hot_voxels";
import { digests, readMask, readVolume } from "../data/nifti_read";
import {
  type AnswerPlace,
  byHeaders,
  type Digest,
  type PlacedPatient,
  type PlacePatient,
  requireTwoImages,
  type WantedMasks,
} from "../data/patient";
import type { Memory } from "../gpu/memory";
import { type Alignment, alignmentText, doubtOf } from "../register/align";
import type { Pose } from "../register/step";
import type { TrainConfig } from "../settings/config";
import { originOf } from "../synthesis/cohort";
import { keptAlignment } from "./kept_alignment";
import { brainsOf, brighterIn, MATCH_VERSION, matchPair } from "./matched_pair";
import type { Observer } from "./observer";
import { placeMask, type ReadMask, type Visits, visitOf } from "./placed_mask";
import { alignmentOf } from "./placed_pair";

/** A pair that registration does not trust: its visits may be of two people, or one is mirrored. */
export class NotFitError extends UserError {
  constructor(
    readonly id: string,
    readonly doubt: string,
  ) {
    super(
      `${id}: ${doubt}; move such a patient's folder away, or give --register off to take all visits ` +
        "as their headers say",
    );
  }
}

type Outcome = "aligned" | "moved" | "small";
/** Between two lines that say how far the check is. */
const CHECK_LINE_MS = 5000;

type How = Pick<TrainConfig, "register" | "bias">;

/** Puts the pairs of a cohort on one grid each, and takes out the bias between their visits. */
export class CohortPairs {
  constructor(
    private readonly memory: Memory,
    private readonly how: How,
    private readonly observer: Pick<Observer, "note">,
  ) {}

  /** @throws NotFitError for a pair that is not to be trusted */
  readonly place: PlacePatient = async (patient, digest) => {
    const how: How = isMade(patient) ? { ...this.how, register: "off" } : this.how;
    const { register, bias } = how;
    const found = register === "off" ? undefined : await this.alignmentOf(patient, digest);
    if (found && isUnfit(found)) throw new NotFitError(patient.id, doubtOf(found));
    const stays = !found || found.aligned;
    // Nothing is asked for, or, of what is smaller than a head, nothing can be done.
    const asItIs = register === "off" ? bias === "off" : !found && register === "auto";
    if (asItIs) return byHeaders(patient, digest);
    const pose = stays ? undefined : found.registration;
    return {
      key: JSON.stringify(["matched", MATCH_VERSION, bias, pose && [pose.toVisit1, pose.toVisit2]]),
      notes: stays ? [] : [`${patient.id}: ${alignmentText(found)}`],
      load: (wanted) => loadMatched(this.memory, patient, { ...how, found }, wanted),
    };
  };

  /** What was found before about the same scans, else now. */
  private async alignmentOf(patient: Patient, digest: Digest): Promise<Alignment | undefined> {
    const { memory, how, observer } = this;
    const { register: mode } = how;
    const scans = [mode, await digest(patient.time1), await digest(patient.time2)];
    const look = async () => {
      const visits = await visitsOf(patient);
      return alignmentOf(memory, ...visits, mode, brainsOf(visits, "auto").brains);
    };
    return keptAlignment(scans, look, (line) => observer.note(line));
  }

  /**
   * Looks at every pair before long work, and says in a line what is to be done with them.
   * @throws NotFitError naming all pairs that are not to be trusted
   * @throws the signal's reason when interrupted; what was found is kept
   */
  async check(patients: readonly Patient[], signal?: AbortSignal): Promise<void> {
    const real = patients.filter((patient) => !isMade(patient));
    if (this.how.register === "off" || real.length === 0) return;
    const outcomes: Outcome[] = [];
    const unfit: NotFitError[] = [];
    let shown = performance.now();
    for (const [i, patient] of real.entries()) {
      signal?.throwIfAborted();
      if (performance.now() - shown > CHECK_LINE_MS) {
        this.observer.note(`registration: looked at ${i} of ${real.length} pairs (kept)`);
        shown = performance.now();
      }
      const found = await this.alignmentOf(patient, digests());
      outcomes.push(!found ? "small" : found.aligned ? "aligned" : "moved");
      if (found && isUnfit(found)) unfit.push(new NotFitError(patient.id, doubtOf(found)));
    }
    refuse(unfit, this.observer);
    this.observer.note(summaryOf(outcomes));
  }
}

/** Whether our generator made the pair: its visits lie on each other. */
const isMade = ({ time1 }: Patient): boolean => originOf(dirname(time1)) !== undefined;

const isUnfit = ({ aligned, trusted, registration }: Alignment): boolean =>
  !aligned && !(trusted && registration);

/** All at once: whoever mends a cohort wants to know of every pair. */
function refuse(unfit: readonly NotFitError[], observer: Pick<Observer, "note">): void {
  const [first] = unfit;
  if (!first) return;
  if (unfit.length === 1) throw first;
  for (const { id, doubt } of unfit) observer.note(`${id}: ${doubt}`);
  throw new NotFitError(unfit.map(({ id }) => id).join(", "), "NOT FIT, as the lines above say");
}

function summaryOf(outcomes: readonly Outcome[]): string {
  const count = (wanted: Outcome) => outcomes.filter((outcome) => outcome === wanted).length;
  const parts = [
    [count("aligned"), "aligned as they are"],
    [count("moved"), "to be moved"],
    [count("small"), "smaller than a head, as their headers say"],
  ] as const;
  const said = parts.filter(([n]) => n > 0).map(([n, what]) => `${n} ${what}`);
  return `registration: of ${outcomes.length} pairs ${said.join(", ")}`;
}

async function visitsOf({ time1, time2 }: Patient): Promise<Visits> {
  const [one, two] = [await readVolume(time1), await readVolume(time2)];
  return [
    { path: time1, image: withoutHotVoxels(one, time1) },
    { path: time2, image: withoutHotVoxels(two, time2) },
  ];
}

/** Both visits, and each mask where its visit went. */
async function loadMatched(
  memory: Memory,
  patient: Patient,
  how: How & { readonly found?: Alignment },
  wanted: WantedMasks,
): Promise<PlacedPatient> {
  const visits = await visitsOf(patient);
  const placed = await matchPair(memory, ...visits, how);
  const { pair, pose } = placed;
  // Registration is told at every start, and the bias of every pair would be too much.
  const told = how.found && alignmentText(how.found);
  const notes = pair.notes.filter((note) => note !== told && !note.startsWith("bias: "));
  const read = async (path: string | undefined, shownAt: 0 | 1) => {
    if (path === undefined) return undefined;
    const mask = await readMask(path);
    notes.push(...mask.notes);
    return { path, mask, shownAt };
  };
  const place = (mask: ReadMask) => placeMask(memory, visits, placed, mask, notes);
  const truth = (await read(patient.truth, 1))!;
  const brain = wanted.brain ? await read(patient.brainMask, 0) : undefined;
  const gone = wanted.resolved ? await read(patient.resolved, 0) : undefined;
  const marks = { "new lesions": truth.mask, "resolved lesions": gone?.mask };
  requireTwoImages(patient, [visits[0].image, visits[1].image], marks);
  return {
    ...{ ...pair, id: patient.id, notes },
    truth: await place(truth),
    brainMask: brain && (await place(brain)),
    resolved: gone && (await place(gone)),
    answer: pose && answerPlace(visits, pose, truth),
    allowed: brighterIn(placed),
  };
}

function answerPlace(visits: Visits, pose: Pose, truth: ReadMask): AnswerPlace {
  const visit = visitOf(visits, pose, truth);
  const { size, affine } = visits[visit].image;
  const motion = invertAffine(visit === 0 ? pose.toVisit1 : pose.toVisit2);
  return { visit, grid: { size, affine }, motion };
}
