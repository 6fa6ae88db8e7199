/** Models that no weights file may name. */
import { MODEL } from "./weights_rig";

/** The model of the rig as a weights file holds it, with some fields changed. */
export const modelText = (changes: object) => JSON.stringify({ ...MODEL, ...changes });
const unet = (changes: object) => modelText({ unet: { ...MODEL.unet, ...changes } });
const without = (name: keyof typeof MODEL) => modelText({ [name]: undefined });

/** Names, models as text (undefined: none) and the refusal of each. */
export const CRAFTED_MODELS: [string, string | undefined, RegExp][] = [
  ["none", undefined, /its model: not valid JSON/],
  ["no JSON", "{", /its model: not valid JSON; it is damaged, or another program wrote it/],
  ["a number", "7", /it is 7: expected object/],
  ["null", "null", /it is null: expected object/],
  ["a list", "[]", /it is \[\]: expected object/],
  ["no unet", without("unet"), /unet is missing/],
  ["filters a string", unet({ filters: "8" }), /unet\.filters is "8": expected tuple/],
  ["two filters", unet({ filters: [4, 4] }), /unet\.filters is \[4,4\]/],
  ["huge filters", unet({ filters: [1e9, 4, 4] }), /unet\.filters\.0 is 1000000000: .*<=4096/],
  ["wide filters", unet({ filters: [4096, 4096, 4096] }), /enc1\.conv1\.weight is 4×2×3×3×3/],
  ["filters 0", unet({ filters: [0, 4, 4] }), /unet\.filters\.0 is 0/],
  ["groups 0", unet({ groups: 0 }), /unet\.groups is 0: expected number to be >0/],
  ["groups 3", unet({ groups: 3 }), /each must be a multiple of the 3 norm groups/],
  ["epsilon null", unet({ epsilon: null }), /unet\.epsilon is null: expected number/],
  ["epsilon 0", unet({ epsilon: 0 }), /unet\.epsilon is 0/],
  ["no alignCorners", unet({ alignCorners: undefined }), /unet\.alignCorners is missing/],
  ["alignCorners 1", unet({ alignCorners: 1 }), /unet\.alignCorners is 1: expected boolean/],
  ["no recompute", unet({ recompute: undefined }), /unet\.recompute is missing/],
  ["inChannels 1", unet({ inChannels: 1 }), /1 input channels, 2 with difference false/],
  ["inChannels 1.5", unet({ inChannels: 1.5 }), /1\.5 input channels/],
  ["difference without channel", modelText({ difference: true }), /2 input channels, 3 with diff/],
  ["no difference", without("difference"), /difference is missing/],
  ["no spacing", without("spacing"), /spacing is missing/],
  ["spacing 0", modelText({ spacing: 0 }), /spacing is 0: expected number to be >=0\.2/],
  ["spacing −1", modelText({ spacing: -1 }), /spacing is -1/],
  ["spacing 0.001", modelText({ spacing: 0.001 }), /spacing is 0\.001/],
  ["spacing a string", modelText({ spacing: "2" }), /spacing is "2": expected number/],
  ["spacing 1e300", modelText({ spacing: 1e300 }), /spacing is 1e\+300/],
  ["patch 0", modelText({ patch: 0 }), /patch is 0/],
  ["patch 15", modelText({ patch: 15 }), /patch is 15: .*multiple of 4/],
  ["patch 4000", modelText({ patch: 4000 }), /patch is 4000: .*<=512/],
  ["stride 0", modelText({ stride: 0 }), /stride is 0: expected number to be >0/],
  ["stride −4", modelText({ stride: -4 }), /stride is -4/],
  ["stride 1.5", modelText({ stride: 1.5 }), /stride is 1\.5: expected int/],
  [
    "stride 1000",
    modelText({ stride: 1000 }),
    /stride 1000 leaves gaps between windows of --patch 8/,
  ],
  ["normalisation", modelText({ normalisation: "xyz" }), /normalisation is "xyz": expected one of/],
  [
    "window weights",
    modelText({ windowWeights: "abc" }),
    /windowWeights is "abc": expected one of/,
  ],
  ["no window weights", without("windowWeights"), /windowWeights is missing/],
  ["bias", modelText({ bias: "some" }), /bias is "some": expected one of/],
  ["mirror", modelText({ mirror: "qq" }), /mirror is "qq": expected one of/],
  ["mirror a number", modelText({ mirror: 7 }), /mirror is 7/],
  [
    "an unknown field",
    modelText({ attention: true }),
    /holds attention, which this version .* not know/,
  ],
  ["… of the network", unet({ residual: 1, depth: 4 }), /holds residual, depth in unet, which/],
];
