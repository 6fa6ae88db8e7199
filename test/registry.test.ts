/**
 * An op that someone adds is tested, timed and known to the portability suite because it is registered:
 * these tests say what is missing from the registry, or from a reference. They need no adapter.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { Glob } from "bun";
import { ops } from "../kernels/index";
import type { Op } from "../src/core/op";
import { OpGraph, trialOf } from "../src/portability/op_run";
import { outlineOf } from "../src/portability/outline";
import { references } from "../src/reference/index";
import type { Reference } from "../src/reference/reference";
import { makeTrainConfig } from "../src/settings/presets";
import { unetConfig } from "../src/train/state";
import { trials, trialsOf } from "../src/tune/trials/index";
import { GPU, LAVAPIPE } from "./adapters";

const root = join(import.meta.dir, "..");
const read = (path: string) => readFileSync(join(root, path), "utf8");
const registry = Object.entries(ops) as unknown as readonly (readonly [string, Op<unknown>])[];
const referenceOf = (op: Op<unknown>) => references.filter((reference) => reference.op === op);

interface Found {
  readonly path: string;
  readonly exported: string;
  readonly op: Op<unknown>;
}

function isOp(value: unknown): value is Op<unknown> {
  return typeof value === "object" && value !== null && "forward" in value && "name" in value;
}

/** Every op that a file of kernels/ exports. */
async function definedOps(): Promise<Found[]> {
  const found: Found[] = [];
  for (const path of new Glob("kernels/*/**/*.ts").scanSync(root)) {
    const exports: Record<string, unknown> = await import(join(root, path));
    for (const [exported, op] of Object.entries(exports)) {
      if (isOp(op)) found.push({ path, exported, op });
    }
  }
  return found;
}

const defined = await definedOps();

describe("registry", () => {
  test("every op that a file of kernels/ defines is exported there", () => {
    const paths = [...new Glob("kernels/**/*.ts").scanSync(root)];
    const written = paths.flatMap((path) => read(path).match(/\bdefineOp[(<]/g) ?? []);
    expect(defined.length).toBe(written.length);
  });

  test("every op of kernels/ is in kernels/index.ts, by its own name", () => {
    const missing = defined
      .filter(
        ({ exported, op }) => !registry.some(([name, one]) => name === exported && one === op),
      )
      .map(({ path, exported }) => `${path}: add ${exported} to kernels/index.ts`);
    expect(missing).toEqual([]);
    expect(registry.flatMap(([name, op]) => (op.name === name ? [] : [name]))).toEqual([]);
    expect(registry.length).toBe(defined.length);
  });

  test("every op has one float64 reference, and every reference an op of the registry", () => {
    const wanting = defined
      .filter(({ op }) => referenceOf(op).length !== 1)
      .map(({ path, exported, op }) => {
        const count = referenceOf(op).length;
        return `${exported} of ${path} has ${count} references in src/reference/index.ts, not 1`;
      });
    expect(wanting).toEqual([]);
    const strangers = references.filter(({ op }) => !registry.some(([, one]) => one === op));
    expect(strangers.map(({ op }) => `${op.name} has a reference, but is not registered`)).toEqual(
      [],
    );
  });

  test("a reference that no list holds is a file that nothing reads", () => {
    const index = read("src/reference/index.ts");
    const lost = [...new Glob("src/reference/*.ts").scanSync(root)].flatMap((path) =>
      [...read(path).matchAll(/^export const (\w+) = defineReference\b/gm)]
        .filter(([, name]) => !new RegExp(`^ +${name},`, "m").test(index))
        .map(([, name]) => `${path}: add ${name} to src/reference/index.ts`),
    );
    expect(lost).toEqual([]);
  });

  test("every choice between variants has a trial, and every trial a choice", () => {
    const wanting = registry.flatMap(([, op]) =>
      Object.keys(op.variants ?? {})
        .filter((pick) => !trialsOf(op)[pick])
        .map((pick) => `the variants of ${pick} have no trial in src/tune/trials/index.ts`),
    );
    expect(wanting).toEqual([]);
    const strangers = Object.entries(trials).flatMap(([name, named]) => {
      const op = registry.find(([, one]) => one.name === name)?.[1];
      return Object.keys(named).filter((pick) => !op?.variants?.[pick]);
    });
    expect(strangers.map((pick) => `no op chooses between variants of ${pick}`)).toEqual([]);
  });

  test("a kernel has the name of its shader's file", () => {
    const shaders = new Map(
      [...new Glob("shaders/**/*.wgsl").scanSync(root)].map((path) => [
        basename(path, ".wgsl"),
        path,
      ]),
    );
    const wrong = references.flatMap((reference) => {
      const { graph } = new OpGraph(outlineOf(reference, reference.cases[0]!), GPU, {});
      const names = new Set(graph.dispatches.map(({ kernel }) => kernel.name));
      return [...names].flatMap((name) =>
        shaders.has(name) ? [] : [`${reference.op.name}: no shaders/**/${name}.wgsl`],
      );
    });
    expect(wrong).toEqual([]);
  });

  test("the cases of a reference have distinct ids", () => {
    for (const { op, cases } of references) {
      expect(new Set(cases.map((c) => c.id)).size, op.name).toBe(cases.length);
    }
  });
});

test("the float64 network reads every field of the network that decides a value", () => {
  const source = read("src/reference/unet3d.ts");
  // The filters stand in the weights' shapes, and recomputed blocks have the same values.
  const unread = Object.keys(unetConfig(makeTrainConfig("paper", {}))).filter((field) => {
    if (field === "filters" || field === "recompute") return false;
    // Once where the field is declared, and once where it is used.
    return (source.match(new RegExp(`\\b${field}\\b`, "g")) ?? []).length < 2;
  });
  expect(unread.map((field) => `src/reference/unet3d.ts does not read ${field}`)).toEqual([]);
});

/** Ops that files of src/nn apply: what they take and make is stored as f16 with `--precision f16`. */
function networkOps(): Found[] {
  const texts = [...new Glob("src/nn/*.ts").scanSync(root)].map(read).join("\n");
  const imported = [...texts.matchAll(/^import (.*) from ".*\/kernels\/.*";$/gm)];
  const names = imported.flatMap(([, list]) => list!.match(/\w+/g) ?? []);
  return defined.filter(({ exported }) => names.includes(exported));
}

/** The remedy for an op that a network may not use with `--precision f16`. */
function remedy({ exported, path, op }: Found): string {
  const hasOut = referenceOf(op).some(({ cases }) =>
    cases.some(({ attrs }) => "out" in ((attrs ?? {}) as object)),
  );
  const attrs = hasOut ? ", attrs: halfOut" : "";
  return (
    `${exported} is part of the network, so --precision f16 reaches it. Its reference must say ` +
    `f16: { inputs: ["x"]${attrs} } with the inputs that are activations; its kernels in ${path} ` +
    'storage: { T: ["x", "y"] } with `alias T = f32;` in the shader; and its outputs and gradients ' +
    "must be made with the dtype of x (docs/engine/contributing.md)"
  );
}

/** Outputs and gradients that are wider than the activations they are made of. */
function widened(reference: Reference<unknown>): string[] {
  const c = reference.cases.find(({ attrs }) => !(attrs as { dtype?: string }).dtype)!;
  const { applications } = new OpGraph(trialOf(reference, c, { half: true }), LAVAPIPE, {});
  const { outputs, gradients } = applications[0]!;
  const differentiable = reference.differentiable ?? ["y"];
  const activations = reference.f16?.inputs ?? [];
  return [
    ...differentiable.flatMap((name) => (outputs[name]!.dtype === "f16" ? [] : [name])),
    ...activations.flatMap((name) => {
      const dx = gradients[name];
      return dx && dx.dtype !== "f16" ? [`d${name}`] : [];
    }),
  ];
}

describe("--precision f16", () => {
  test("the network's ops are found", () => {
    const names = networkOps().map(({ exported }) => exported);
    expect(names).toEqual(expect.arrayContaining(["conv3d", "groupNorm", "maxPool3d", "concat"]));
  });

  for (const found of networkOps()) {
    test(`${found.exported} can be stored as f16 throughout`, () => {
      const [reference] = referenceOf(found.op);
      if (!reference) throw new Error(`${found.exported} has no float64 reference`);
      if (!reference.f16) throw new Error(remedy(found));
      let wide: string[];
      try {
        wide = widened(reference);
      } catch (error) {
        throw new Error(`${(error as Error).message}. ${remedy(found)}`);
      }
      if (wide.length > 0) throw new Error(`${wide.join(", ")} of f32. ${remedy(found)}`);
    });
  }
});
