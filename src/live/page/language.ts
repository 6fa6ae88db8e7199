/**
 * uPlot makes a number format of the browser's language when it is loaded. Chromium in a POSIX locale calls its
 * language `en-US@posix`, which `Intl` refuses: the page would stay empty.
 */
try {
  new Intl.NumberFormat(navigator.language);
} catch {
  Object.defineProperty(navigator, "language", { value: "en-US" });
}
