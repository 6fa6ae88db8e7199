/** A rank of test/mpi.test.ts: every collective operation, with parts of unlike lengths. */
import { launchOf } from "../src/mpi/launch";
import { Ranks } from "../src/mpi/ranks";

const ranks = await Ranks.join(launchOf(process.env)!);
const { rank, size } = ranks;
const lengths = Array.from({ length: size }, (_, i) => 1000 * (i + 1));
const part = new Float32Array(lengths[rank]!).fill(rank + 0.5);
const gathered = await ranks.gatherFloats(part, lengths);
const right = lengths.flatMap((length, i) => Array.from({ length }, () => i + 0.5));
const [sum] = await ranks.sum(Float32Array.of(rank + 1, 7));
const values = await ranks.gatherValues({ rank, text: "é".repeat(rank) });
const told = await ranks.broadcastValue(rank === 0 ? { from: rank } : undefined);
const long = await ranks.broadcastValue(rank === 0 ? "ä".repeat(3000) : undefined);
const isRight = gathered.length === right.length && right.every((v, i) => gathered[i] === v);
const found = { rank, size, isRight, sum, values, told, long: long.length };
console.log(JSON.stringify(found));
await ranks.leave();
