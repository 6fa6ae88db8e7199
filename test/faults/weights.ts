/** Flipped bits and cut ends of a weights file: each is refused, by its form or by its checksum. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Philox } from "../../src/core/random";
import { writeSafetensors } from "../../src/data/safetensors_file";
import { loadWeights } from "../../src/run/weights_file";
import { weightsContents } from "../weights_rig";
import { mustRefuse } from "./judge";
import type { Case, Context, Part } from "./part";

const FLIPS = 300;
const CUTS = 100;
/** Share of the flips that fall on the header, which is a small part of the file. */
const HEADER_SHARE = 1 / 3;
const REFUSED = /damaged\.safetensors: [^\n]*(damaged|not a usable safetensors file)/;

export const weights: Part = {
  name: "weights",
  title: "a weights file: 300 bits flipped, 100 times cut off",
  seconds: 30,
  cases: ({ folder, seed }: Context): Case[] => {
    const whole = join(folder, "whole.safetensors");
    const damaged = join(folder, "damaged.safetensors");
    writeSafetensors({ path: whole, ...weightsContents() });
    const bytes = readFileSync(whole);
    loadWeights(whole);
    const header = 8 + Number(bytes.readBigUInt64LE());
    const random = new Philox(seed);
    const refusal = (id: string, content: () => Uint8Array): Case => ({
      id,
      run: () => {
        writeFileSync(damaged, content());
        return mustRefuse(() => loadWeights(damaged), REFUSED);
      },
    });
    const flips = Array.from({ length: FLIPS }, (_, i) => {
      const inHeader = i < FLIPS * HEADER_SHARE;
      const at = inHeader ? random.int(header) : header + random.int(bytes.length - header);
      const bit = random.int(8);
      const flipped = () => bytes.map((byte, place) => (place === at ? byte ^ (1 << bit) : byte));
      return refusal(`bit ${bit} of byte ${at}`, flipped);
    });
    const cuts = Array.from({ length: CUTS }, (_, i) => {
      const length = i < 20 ? i : i < 40 ? bytes.length - 1 - (i - 20) : random.int(bytes.length);
      return refusal(`cut ${i} to ${length} bytes`, () => bytes.subarray(0, length));
    });
    return [...flips, ...cuts];
  },
};
