/** The page of `bun run view RUN`. */
import "./language"; // Before uPlot.

import { App } from "./app";

new App().start(new EventSource("events"));
