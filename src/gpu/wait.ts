/**
 * Waiting for a software adapter. While a promise of the device is pending, dawn.node polls on the
 * JavaScript thread without pause and takes a third of two cores away from the driver's own
 * threads; a millisecond's sleep in each turn of the event loop gives them back (measured on
 * 2 cores: 150 against 88 GFLOP/s). The price is about 1 ms of latency per wait.
 */
const SLEEP_MS = 1;
const cell = new Int32Array(new SharedArrayBuffer(4));

/** Settles like `promise`, sleeping while it is pending. */
export async function throttledWait<T>(promise: Promise<T>): Promise<T> {
  let pending = true;
  const settle = () => {
    pending = false;
  };
  promise.then(settle, settle);
  await Promise.resolve(); // one that has settled already costs no sleep
  while (pending) {
    Atomics.wait(cell, 0, 0, SLEEP_MS);
    await nextTurn();
  }
  return promise;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === "function") setImmediate(resolve);
    else setTimeout(resolve, 0);
  });
}
