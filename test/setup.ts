/** Before all test files: software adapters compile shaders for seconds, a busy machine for more. */
import { setDefaultTimeout } from "bun:test";

setDefaultTimeout(10 * 60 * 1000);
