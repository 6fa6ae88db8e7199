/** The U-Net and the Dice loss in TensorFlow.js, channels last. */
import type * as Core from "@tensorflow/tfjs-core";
import { provideGpu } from "./navigator";

type Tensor = Core.Tensor;
export type Variables = ReadonlyMap<string, Core.Variable>;

export const { info, wait } = await provideGpu(process.argv[2] ?? "");
// Both look for navigator.gpu when they are loaded.
export const tf = await import("@tensorflow/tfjs-core");
await import("@tensorflow/tfjs-core/dist/register_all_gradients");
await import("@tensorflow/tfjs-backend-webgpu");
await wait(tf.setBackend("webgpu"));

/** Operations that TensorFlow.js lacks, and their replacements. */
export const NOTE =
  "group norm composed of mean, square and rsqrt on (N, D·H·W, G, C/G); trilinear upsampling of " +
  "three products with interpolation matrices; scale, shift and bias added on (N·D·H·W, C), " +
  "because broadcasting to five dimensions fails to compile; the same function";
const [GROUPS, EPSILON, DICE_EPSILON] = [8, 1e-5, 1e-5];

/** Interpolation matrix (2n, n) of a linear upsampling with aligned corners. */
function doubling(n: number): Tensor {
  const matrix = new Float32Array(2 * n * n);
  for (let row = 0; row < 2 * n; row++) {
    const at = (row * (n - 1)) / (2 * n - 1);
    const low = Math.min(Math.floor(at), n - 2);
    matrix[row * n + low] = 1 - (at - low);
    matrix[row * n + low + 1] = at - low;
  }
  return tf.tensor(matrix, [1, 2 * n, n]);
}

const matrices = new Map([8, 16].map((n) => [n, doubling(n)]));

function upsample(x: Tensor): Tensor {
  const [n = 0, size = 0, , , c = 0] = x.shape;
  const m = matrices.get(size)!;
  let y = tf.matMul(m, tf.reshape(x, [n, size, size * size * c]));
  y = tf.matMul(m, tf.reshape(y, [n * 2 * size, size, size * c]));
  y = tf.matMul(m, tf.reshape(y, [n * 4 * size * size, size, c]));
  return tf.reshape(y, [n, 2 * size, 2 * size, 2 * size, c]);
}

function groupNorm(x: Tensor, scale: Tensor, shift: Tensor): Tensor {
  const [n = 0, d = 0, , , c = 0] = x.shape;
  const grouped = tf.reshape(x, [n, d ** 3, GROUPS, c / GROUPS]);
  const centred = tf.sub(grouped, tf.mean(grouped, [1, 3], true));
  const variance = tf.mean(tf.square(centred), [1, 3], true);
  const normal = tf.mul(centred, tf.rsqrt(tf.add(variance, EPSILON)));
  return tf.reshape(tf.add(tf.mul(tf.reshape(normal, [-1, c]), scale), shift), x.shape);
}

/** Logits (N, D, H, W, 1) of x (N, D, H, W, 2). */
export function network(w: Variables, x: Tensor): Tensor {
  const conv = (name: string, t: Tensor) => {
    const [kernel, bias] = ["weight", "bias"].map((p) => w.get(`${name}.${p}`)!);
    const y = tf.conv3d(t as Core.Tensor5D, kernel as Tensor as Core.Tensor5D, 1, "same");
    return tf.reshape(tf.add(tf.reshape(y, [-1, y.shape[4]]), bias!), y.shape);
  };
  const block = (name: string, t: Tensor) =>
    [1, 2].reduce((y, i) => {
      const [scale, shift] = ["weight", "bias"].map((p) => w.get(`${name}.norm${i}.${p}`)!);
      return tf.relu(groupNorm(conv(`${name}.conv${i}`, y), scale!, shift!));
    }, t);
  const down = (t: Tensor) => tf.maxPool3d(t as Core.Tensor5D, 2, 2, "valid");
  const join = (a: Tensor, b: Tensor) => tf.concat([a, upsample(b)], 4);
  const skip1 = block("enc1", x);
  const skip2 = block("enc2", down(skip1));
  const mid = block("mid", down(skip2));
  return conv("head", block("dec1", join(skip1, block("dec2", join(skip2, mid)))));
}

/** Dice loss of each patch: (N). */
export function diceLoss(logits: Tensor, y: Tensor): Tensor {
  const rows = [y.shape[0]!, -1];
  const [p, target] = [tf.reshape(tf.sigmoid(logits), rows), tf.reshape(y, rows)];
  const both = tf.add(tf.sum(p, 1), tf.sum(target, 1));
  const overlap = tf.mul(tf.sum(tf.mul(p, target), 1), 2);
  return tf.sub(1, tf.div(tf.add(overlap, DICE_EPSILON), tf.add(both, DICE_EPSILON)));
}
