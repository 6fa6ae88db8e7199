/** Reads the labels of dispatches. */

/** The op of a label `op/kernel`: `conv3d.backward`, say. */
export const opOf = (label: string): string => label.split("/")[0]!;

/** Whether a label belongs to a convolution: packing and reducing of its weights included. */
export const isConvolution = (label: string): boolean => opOf(label).startsWith("conv");
