/** The folder of a new run, which is this process's alone before the first byte is written into it. */
import { existsSync, mkdirSync, rmdirSync } from "node:fs";
import { dirname } from "node:path";
import { UserError } from "../core/errors";
import { createRunFolder, type RunFolder, refuseExistingRun, takeRunPath } from "./run_folder";
import { type FolderLock, lockRunFolder } from "./run_lock";
import type { SavedSplit } from "./saved_split";

export class NewRun {
  private hasBegun = false;

  private constructor(
    private readonly path: string,
    readonly lock: FolderLock,
    /** Whether the folder was made for this run. */
    private readonly isNew: boolean,
  ) {}

  /**
   * Takes a folder, and makes it where it is not there.
   * @throws UserError when a run lies in it, another process has it, or it cannot be made
   */
  static in(path: string): NewRun {
    for (;;) {
      refuseExistingRun(path);
      const isNew = made(path, () => mkdirSync(path, { recursive: true }) !== undefined);
      try {
        return new NewRun(path, lockRunFolder(path), isNew).orNothing();
      } catch (error) {
        // The process that made it may have given it up in this moment.
        if (existsSync(path)) throw error;
      }
    }
  }

  /** Makes a folder of a name of its own in `runs/`. @throws UserError when it cannot be made */
  static named(name: string): NewRun {
    const path = takeRunPath(name, (free) =>
      made(free, () => {
        mkdirSync(dirname(free), { recursive: true });
        return madeNow(free);
      }),
    );
    return new NewRun(path, lockRunFolder(path), true);
  }

  /** Refuses a run that came between the first look and the lock. */
  private orNothing(): this {
    try {
      refuseExistingRun(this.path);
      return this;
    } catch (error) {
      this.release();
      throw error;
    }
  }

  /** Writes settings and split: a run lies in the folder now. @throws UserError when it cannot */
  begin(config: Readonly<Record<string, unknown>>, split: SavedSplit): RunFolder {
    this.lock.check();
    const folder = createRunFolder(this.path, config, split);
    this.hasBegun = true;
    return folder;
  }

  /** Gives the folder back. One that was made for a run that has not begun is removed. */
  release(): void {
    this.lock.release();
    if (this.hasBegun || !this.isNew) return;
    try {
      rmdirSync(this.path);
    } catch {} // Something lies in it by now.
  }
}

/** False where something is there already. */
function madeNow(path: string): boolean {
  try {
    mkdirSync(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function made(path: string, make: () => boolean): boolean {
  try {
    return make();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UserError(`${path}: the run folder cannot be made (${code}); name another --out`);
  }
}
