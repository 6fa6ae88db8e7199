/** A setting that no version of the program has, as a `config.json` of a newer one would hold it. */
export const NO_SUCH_SETTING = { noSuchSetting: "gelu" };
