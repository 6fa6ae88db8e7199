/** The weighted mean of maps that come one after the other, in the memory of one or two of them. */
export class WeightedMean {
  private sum: Float32Array | undefined;
  private weight = 0;

  /** Takes `values` over: the caller must not use them afterwards. */
  add(values: Float32Array, weight: number): void {
    this.weight += weight;
    if (!this.sum) this.sum = values;
    const { sum } = this;
    // A running mean: one map alone keeps its bits.
    const share = weight / this.weight;
    if (share < 1) for (let i = 0; i < sum.length; i++) sum[i]! += share * (values[i]! - sum[i]!);
  }

  /** @throws Error when nothing was added */
  get mean(): Float32Array {
    if (!this.sum) throw new Error("the mean of no maps");
    return this.sum;
  }
}
