/** A reader's work on one study: decisions, strokes of the brush, undo, and what is saved of it. */
import type { Mask } from "../../data/volume";
import { connectedComponents } from "../../eval/components";
import {
  DECISIONS_FORMAT,
  type Decision,
  type Decisions,
  type LogEntry,
} from "../../result/decisions";
import type { ResultLesion } from "../../result/record";
import { fileIndex, inFileOrder, type Study } from "./study";

export interface LesionState {
  readonly id: number;
  decision: Decision;
  note: string;
  /** Now, after drawing and erasing. */
  voxels: number;
  /** Absent for one that the reader drew. */
  readonly found?: ResultLesion;
}

/** Values of {@link Reading.shown}. */
export const SHOWN = { nothing: 0, lesion: 1, rejected: 2 } as const;

type Undo =
  | { readonly kind: "decision"; readonly id: number; readonly before: Decision }
  | { readonly kind: "voxels"; readonly before: ReadonlyMap<number, number> };

const ACTION = { accepted: "accept", rejected: "reject", open: "reopen" } as const;

export class Reading {
  /** Per voxel of the study the id of its lesion now. */
  readonly labels: Uint16Array;
  /** Per voxel how it is outlined. */
  readonly shown: Uint8Array;
  readonly lesions = new Map<number, LesionState>();
  reader = "";
  finished: string | null = null;
  private readonly undos: Undo[] = [];
  private readonly log: LogEntry[] = [];

  /**
   * @param now a time for the log, ISO 8601
   * @param onChange after everything that is to be saved
   */
  constructor(
    readonly study: Study,
    private readonly now: () => string,
    private readonly onChange: () => void,
  ) {
    this.labels = study.labels.slice();
    this.shown = new Uint8Array(this.labels.length);
    for (const found of study.record.lesions) {
      const { id, voxels } = found;
      this.lesions.set(id, { id, decision: "open", note: "", voxels, found });
    }
    if (study.decisions) this.restore(study.decisions, study.corrected);
    const { labels, shown } = this;
    for (let i = 0; i < labels.length; i++) if (labels[i]! > 0) shown[i] = this.shownOf(labels[i]!);
  }

  decide(id: number, decision: Decision): void {
    const lesion = this.lesions.get(id);
    if (!lesion || lesion.decision === decision) return;
    this.undos.push({ kind: "decision", id, before: lesion.decision });
    this.setDecision(lesion, decision);
    this.tell({ action: ACTION[decision], lesion: id });
  }

  note(id: number, text: string): void {
    const lesion = this.lesions.get(id);
    if (!lesion || lesion.note === text) return;
    lesion.note = text;
    this.tell({ action: "note", lesion: id, text });
  }

  setReader(initials: string): void {
    this.reader = initials;
    this.onChange();
  }

  /** Lesions of the list: those that were found, and those that were drawn and are there. */
  listed(): LesionState[] {
    return [...this.lesions.values()].filter(({ found, voxels }) => found || voxels > 0);
  }

  /** Undecided lesions that are still there. */
  open(): LesionState[] {
    return [...this.lesions.values()].filter(
      ({ decision, voxels }) => decision === "open" && voxels > 0,
    );
  }

  /** @returns whether it could be: nothing is undecided */
  finish(): boolean {
    if (this.open().length > 0) return false;
    this.finished = this.now();
    this.tell({ action: "finish" }, true);
    return true;
  }

  /** Begins a stroke. @param near a lesion that it goes to where it touches it */
  stroke(erase: boolean, near: number | undefined): Stroke {
    return new Stroke(this, erase, near, (before, id) => {
      if (before.size === 0) return;
      this.undos.push({ kind: "voxels", before });
      this.tell({ action: erase ? "erase" : "draw", lesion: id, voxels: before.size });
    });
  }

  undo(): boolean {
    const last = this.undos.pop();
    if (!last) return false;
    if (last.kind === "decision") this.setDecision(this.lesions.get(last.id)!, last.before);
    else for (const [voxel, id] of last.before) this.setLabel(voxel, id);
    this.tell({ action: "undo" });
    return true;
  }

  get canUndo(): boolean {
    return this.undos.length > 0;
  }

  /** Of the brush alone. */
  setLabel(voxel: number, id: number): void {
    const before = this.labels[voxel]!;
    if (before > 0) this.lesions.get(before)!.voxels--;
    if (id > 0) this.lesions.get(id)!.voxels++;
    this.labels[voxel] = id;
    this.shown[voxel] = id > 0 ? this.shownOf(id) : SHOWN.nothing;
  }

  /** A lesion that the reader draws counts as accepted: the reader put it there. */
  newLesion(): number {
    const id = Math.max(0, ...this.lesions.keys()) + 1;
    this.lesions.set(id, { id, decision: "accepted", note: "", voxels: 0 });
    return id;
  }

  /** What is saved: decisions, and the mask without rejected lesions in the order of the files. */
  saved(): { decisions: Decisions; corrected: Mask } {
    const { record } = this.study;
    const kept = Uint8Array.from(this.shown, (value) => (value === SHOWN.lesion ? 1 : 0));
    const lesions = this.listed().map(({ id, decision, note, found }) => ({
      ...{ id, decision, note },
      ...(found ? {} : { seed: fileIndex(this.study, this.labels.indexOf(id)) }),
    }));
    const decisions: Decisions = {
      ...{ format: DECISIONS_FORMAT, result: record.created, weights: record.weights },
      ...{ reader: this.reader, finished: this.finished, lesions, log: this.log },
    };
    return { decisions, corrected: inFileOrder(this.study, kept) };
  }

  private shownOf(id: number): number {
    return this.lesions.get(id)!.decision === "rejected" ? SHOWN.rejected : SHOWN.lesion;
  }

  private setDecision(lesion: LesionState, decision: Decision): void {
    lesion.decision = decision;
    const value = this.shownOf(lesion.id);
    const { labels, shown } = this;
    for (let i = 0; i < labels.length; i++) if (labels[i] === lesion.id) shown[i] = value;
  }

  /** What is done to a finished reading opens it again. */
  private tell(entry: Omit<LogEntry, "time" | "reader">, finishing = false): void {
    const time = this.now();
    if (!finishing && this.finished !== null) {
      this.finished = null;
      this.log.push({ time, reader: this.reader, action: "resume" });
    }
    this.log.push({ time, reader: this.reader, ...entry });
    this.onChange();
  }

  /** An earlier reading: its decisions, and from its mask what was drawn and erased. */
  private restore(decisions: Decisions, corrected: Uint8Array | undefined): void {
    this.reader = decisions.reader;
    this.finished = decisions.finished;
    this.log.push(...decisions.log);
    for (const { id, decision, note } of decisions.lesions) {
      const lesion = this.lesions.get(id);
      if (lesion) Object.assign(lesion, { decision, note });
    }
    if (corrected) this.restoreVoxels(decisions, corrected);
  }

  private restoreVoxels(decisions: Decisions, corrected: Uint8Array): void {
    const { grid } = this.study;
    const added = new Uint8Array(corrected.length);
    corrected.forEach((value, i) => {
      const id = this.labels[i]!;
      const lesion = this.lesions.get(id);
      const rejected = lesion?.decision === "rejected";
      // A rejected lesion is not in the mask; it is not erased either.
      if (lesion && (value === 1) === rejected) {
        this.labels[i] = 0;
        lesion.voxels--;
      }
      if (value === 1 && (id === 0 || rejected)) added[i] = 1;
    });
    const drawn = decisions.lesions.filter(({ seed }) => seed !== undefined);
    const { count, voxels } = connectedComponents(added, grid.size, 6);
    const parts = Array.from({ length: count }, (_, i) => {
      const own = voxels(i + 1);
      const files = new Set([...own].map((voxel) => fileIndex(this.study, voxel)));
      return { own, known: drawn.find(({ seed }) => files.has(seed!)) };
    });
    // Those that have a number already come first, so that no new one takes it.
    for (const { own, known } of parts.toSorted((a, b) => (b.known ? 1 : 0) - (a.known ? 1 : 0))) {
      if (known) {
        const { id, decision, note } = known;
        this.lesions.set(id, { id, decision, note, voxels: 0 });
      }
      const lesion = this.lesions.get(known?.id ?? this.touched(own) ?? this.newLesion())!;
      for (const voxel of own) this.labels[voxel] = lesion.id;
      lesion.voxels += own.length;
    }
  }

  /** A lesion that is not rejected and touches one of the voxels by a face or holds it. */
  touched(voxels: Iterable<number>): number | undefined {
    const [nx, ny] = this.study.grid.size;
    for (const voxel of voxels) {
      for (const step of [0, 1, -1, nx, -nx, nx * ny, -nx * ny]) {
        const id = this.labels[voxel + step] ?? 0;
        if (id > 0 && this.lesions.get(id)!.decision !== "rejected") return id;
      }
    }
    return undefined;
  }
}

/** From pen down to pen up: one step of undo. */
export class Stroke {
  private readonly before = new Map<number, number>();
  private id: number | undefined;

  constructor(
    private readonly reading: Reading,
    private readonly erase: boolean,
    private readonly near: number | undefined,
    private readonly onEnd: (before: ReadonlyMap<number, number>, id: number | undefined) => void,
  ) {}

  paint(voxels: readonly number[]): void {
    const { labels, lesions } = this.reading;
    const rejected = (id: number) => lesions.get(id)?.decision === "rejected";
    const changing = voxels.filter((voxel) => {
      const id = labels[voxel]!;
      return this.erase ? id > 0 && !rejected(id) : id === 0 || rejected(id);
    });
    if (changing.length === 0) return;
    const target = this.erase ? 0 : this.target(voxels);
    if (this.erase) this.id ??= labels[changing[0]!];
    for (const voxel of changing) {
      if (!this.before.has(voxel)) this.before.set(voxel, labels[voxel]!);
      this.reading.setLabel(voxel, target);
    }
  }

  end(): void {
    this.onEnd(this.before, this.id);
  }

  /** The lesion that the stroke goes to, decided where it begins. */
  private target(voxels: readonly number[]): number {
    if (this.id !== undefined) return this.id;
    const { reading, near } = this;
    const touchesNear =
      near !== undefined && voxels.some((voxel) => reading.touched([voxel]) === near);
    this.id = touchesNear ? near : (reading.touched(voxels) ?? reading.newLesion());
    return this.id;
  }
}
