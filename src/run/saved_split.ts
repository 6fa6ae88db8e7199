/** `split.json` of a run folder: the patients that train and those that validate. */
import { z } from "zod";

const ids = z.array(z.string().min(1));

const withData = <T extends z.ZodType<string | null>>(data: T) =>
  z
    .strictObject({
      /** Folder of the cohort; null: the phantom. */
      data,
      train: ids.min(1),
      val: ids,
      /** Folders of further pairs that only train. */
      trainData: z.array(z.string()).optional(),
      /** Folders of scans that pairs are generated of. */
      generate: z.array(z.string()).optional(),
    })
    .superRefine(({ train, val }, context) => {
      const all = [...train, ...val];
      const twice = all.find((id, i) => all.indexOf(id) < i);
      if (twice !== undefined) context.addIssue(`names patient ${twice} twice`);
    });

export const splitSchema = withData(z.string().nullable());
/** Runs of version 1 leave out the phantom. */
export const firstSplitSchema = withData(z.string().nullable().default(null));

export type SavedSplit = Readonly<z.output<typeof splitSchema>>;
