/** `split.json` of a run folder: the patients that train and those that validate. */
import { z } from "zod";

const ids = z.array(z.string().min(1));

export const splitSchema = z
  .strictObject({
    /** Folder of the cohort; absent for the phantom. */
    data: z.string().optional(),
    train: ids.min(1),
    val: ids,
    /** Folders of further pairs that only train. */
    trainData: z.array(z.string()).optional(),
  })
  .superRefine(({ train, val }, context) => {
    const all = [...train, ...val];
    const twice = all.find((id, i) => all.indexOf(id) < i);
    if (twice !== undefined) context.addIssue(`names patient ${twice} twice`);
  });

export type SavedSplit = Readonly<z.output<typeof splitSchema>>;
