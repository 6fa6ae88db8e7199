/** A driver that cannot be had here; the message says why, in a few words. */
export class DriverUnavailable extends Error {
  override name = "DriverUnavailable";
}

/** Files of a driver of our own: absolute paths, libraries in the order of loading. */
export interface VulkanFiles {
  readonly loader: string;
  readonly icd: string;
  readonly libraries: readonly string[];
}

export interface PrepareOptions {
  /** Whether what is not in the cache may be downloaded. */
  readonly mayDownload: boolean;
  /** Say nothing while doing so. */
  readonly quiet: boolean;
}
