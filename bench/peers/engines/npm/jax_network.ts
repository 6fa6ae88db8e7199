/** The U-Net and the Dice loss in jax-js; its functions use up the arrays that they are given. */
import type * as Jax from "@jax-js/jax";
import { provideGpu } from "./navigator";

type Tensor = Jax.Array;
export type Weights = Record<string, Tensor>;

export const { info, wait } = await provideGpu(process.argv[2] ?? "");
export const jax = await import("@jax-js/jax");
await wait(jax.init("webgpu"));
jax.defaultDevice("webgpu");
const { numpy: np } = jax;

/** Operations that jax-js lacks, and their replacements. */
export const NOTE =
  "group norm composed of mean, square and sqrt; pooling as the maximum of a reshaped array; " +
  "trilinear upsampling of three products with interpolation matrices; the same function";
const [GROUPS, EPSILON, DICE_EPSILON] = [8, 1e-5, 1e-5];

export function conv3d(x: Tensor, w: Tensor): Tensor {
  return jax.lax.convGeneralDilated(x, w, [1, 1, 1], "SAME");
}

/** Interpolation matrix (2n, n) of a linear upsampling with aligned corners. */
function doubling(n: number): Tensor {
  const matrix = new Float32Array(2 * n * n);
  for (let row = 0; row < 2 * n; row++) {
    const at = (row * (n - 1)) / (2 * n - 1);
    const low = Math.min(Math.floor(at), n - 2);
    matrix[row * n + low] = 1 - (at - low);
    matrix[row * n + low + 1] = at - low;
  }
  return np.array(matrix, { shape: [2 * n, n] });
}

const matrices = new Map([8, 16].map((n) => [n, doubling(n)]));

function upsample(x: Tensor): Tensor {
  const m = matrices.get(x.shape[2]!)!;
  const planes = np.einsum("ad,ncdhw->ncahw", m.ref, x);
  const lines = np.einsum("ah,ncdhw->ncdaw", m.ref, planes);
  return np.einsum("aw,ncdhw->ncdha", m.ref, lines);
}

function groupNorm(x: Tensor, scale: Tensor, shift: Tensor): Tensor {
  const { shape } = x;
  const grouped = x.reshape([shape[0]!, GROUPS, -1]);
  const centred = grouped.ref.sub(np.mean(grouped, -1, { keepdims: true }));
  const variance = np.mean(np.square(centred.ref), -1, { keepdims: true });
  const normal = centred.div(np.sqrt(variance.add(EPSILON))).reshape(shape);
  return normal.mul(scale.reshape([-1, 1, 1, 1])).add(shift.reshape([-1, 1, 1, 1]));
}

function maxPool(x: Tensor): Tensor {
  const [n = 0, c = 0, size = 0] = x.shape;
  const half = size / 2;
  return np.max(x.reshape([n, c, half, 2, half, 2, half, 2]), [3, 5, 7]);
}

/** Logits (N, 1, D, H, W) of x (N, 2, D, H, W). */
export function network(w: Weights, x: Tensor): Tensor {
  const conv = (name: string, t: Tensor) =>
    conv3d(t, w[`${name}.weight`]!).add(w[`${name}.bias`]!.reshape([-1, 1, 1, 1]));
  const block = (name: string, t: Tensor) =>
    [1, 2].reduce((y, i) => {
      const [scale, shift] = ["weight", "bias"].map((p) => w[`${name}.norm${i}.${p}`]!);
      return jax.nn.relu(groupNorm(conv(`${name}.conv${i}`, y), scale!, shift!));
    }, t);
  const join = (a: Tensor, b: Tensor) => np.concatenate([a, upsample(b)], 1);
  const skip1 = block("enc1", x);
  const skip2 = block("enc2", maxPool(skip1.ref));
  const mid = block("mid", maxPool(skip2.ref));
  return conv("head", block("dec1", join(skip1, block("dec2", join(skip2, mid)))));
}

/** Dice loss of each patch: (N). */
export function diceLoss(logits: Tensor, y: Tensor): Tensor {
  const rows = [y.shape[0]!, -1];
  const [p, target] = [jax.nn.sigmoid(logits).reshape(rows), y.reshape(rows)];
  const overlap = p.ref.mul(target.ref).sum(1).mul(2);
  const both = p.sum(1).add(target.sum(1));
  return np.array(1).sub(overlap.add(DICE_EPSILON).div(both.add(DICE_EPSILON)));
}
