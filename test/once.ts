/** Preparation that several tests share: the first that asks makes it, so that each runs alone, in any order. */
export function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
