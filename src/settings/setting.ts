/**
 * A setting is declared once, in the file of its theme: its schema with bounds and default, its
 * option, and its sentence in help and documentation. The options of `bun run train`, a run's
 * config.json and docs/guides/settings.md follow from the declarations (config.ts).
 */
import type { z } from "zod";
import type { Notation } from "./notation";

export interface Setting<S extends z.ZodType = z.ZodType> {
  readonly schema: S;
  /** Of help and documentation. */
  readonly help: string;
  /** Name of the option, without its dashes. */
  readonly option: string;
  readonly takes: Value | Switch;
  /** By setting: the values that this one does something with; of any other it is refused. */
  readonly onlyWith?: OnlyWith;
  /** Where help and documentation show it. */
  readonly group: string;
}

/** An option that takes a value. */
interface Value {
  /** Its name in help, such as `<n>`. */
  readonly argument: string;
  readonly notation: Notation<unknown>;
}

/** An option that takes none: `--x`, and `--no-x` for what a preset turns on; or `--no-x` alone. */
interface Switch {
  readonly turns: "on" | "off";
}

export type OnlyWith = Readonly<Record<string, readonly string[]>>;

/** A setting before its theme gives it a group, and a name to its option. */
type Declared<S extends z.ZodType> = Omit<Setting<S>, "group" | "option"> & {
  /** The setting's own name in lower case with dashes, unless it is given. */
  readonly option?: string;
};

/** A setting that takes a value: `--name argument`. */
export function setting<T, S extends z.ZodType<T | undefined>>(
  notation: Notation<T>,
  schema: S,
  argument: string,
  help: string,
  onlyWith?: OnlyWith,
): Declared<S> {
  return { schema, help, takes: { argument, notation }, onlyWith };
}

/** A setting that `--name` turns on, and `--no-name` off where a preset turned it on. */
export function turnedOn<S extends z.ZodType<boolean>>(schema: S, help: string): Declared<S> {
  return { schema, help, takes: { turns: "on" } };
}

/** A setting that is on in every preset, and that `--no-name` turns off. */
export function turnedOff<S extends z.ZodType<boolean>>(schema: S, help: string): Declared<S> {
  return { schema, help, takes: { turns: "off" } };
}

type Theme<T extends Readonly<Record<string, Declared<z.ZodType>>>> = {
  readonly [K in keyof T]: Setting<T[K]["schema"]>;
};

/** The settings of a theme, in the order of help and documentation. */
export function theme<T extends Readonly<Record<string, Declared<z.ZodType>>>>(
  group: string,
  settings: T,
): Theme<T> {
  const entries = Object.entries(settings).map(([name, declared]) => {
    const option = declared.option ?? name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);
    return [name, { ...declared, option, group }];
  });
  return Object.fromEntries(entries) as Theme<T>;
}

/** The schemas of settings, as zod takes the fields of an object. */
export function schemasOf<T extends Readonly<Record<string, Setting>>>(
  settings: T,
): { readonly [K in keyof T]: T[K]["schema"] } {
  const entries = Object.entries(settings).map(([name, { schema }]) => [name, schema]);
  return Object.fromEntries(entries) as { [K in keyof T]: T[K]["schema"] };
}

/** Stands for a value that is not there. */
export const ABSENT = "–";

/** A value in help and documentation; of a switch, whether it is as if its option were given. */
export function written({ takes }: Setting, value: unknown): string {
  if (value === undefined) return ABSENT;
  if ("turns" in takes) return value === (takes.turns === "on") ? "on" : "off";
  return takes.notation.write(value);
}
