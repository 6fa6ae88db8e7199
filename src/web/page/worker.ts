/** The worker: takes requests, computes, replies. It asks for nothing from any address. */
import "./no_eval";
import { messageOf } from "../../core/errors";
import type { Device } from "../../gpu/device";
import { openDevice } from "../../hosts/browser";
import type { Observer } from "../../run/observer";
import type { Metrics } from "../../train/metrics";
import type { Reply, Request } from "./protocol";
import { Work } from "./work";

/** As much of a worker's global scope as is used; the page's types know only its window. */
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<Request>) => void;
  postMessage(reply: Reply): void;
};

const reply = (message: Reply) => scope.postMessage(message);

const observer: Observer = {
  note: (line) => reply({ told: "note", line }),
  onStage: (ended) => reply({ told: "stage", ended }),
  onWindows: (done, total) => reply({ told: "windows", done, total }),
};

let work: Work | undefined;

async function answer(
  request: Exclude<Request, { do: "stop" }>,
  signal: AbortSignal,
): Promise<void> {
  switch (request.do) {
    case "open": {
      const device = await openedDevice();
      if (typeof device === "string") return reply({ told: "unavailable", why: device });
      work = await Work.open(device, request.weights);
      reply({ told: "opened", adapter: device.describe() });
      await work.compile();
      return reply({ told: "compiled" });
    }
    case "predict": {
      if (!work) throw new Error("predict before open");
      return reply({ told: "answered", result: await work.predict(request, observer) });
    }
    case "learn": {
      if (!work) throw new Error("learn before open");
      const told = (metrics: Metrics) => reply({ told: "metrics", metrics });
      const learned = await work.learn(request, observer, told, signal);
      return reply({ told: "learned", ...learned });
    }
    default:
      return request satisfies never;
  }
}

/** A device with the limits that every browser promises, or why there is none. */
async function openedDevice(): Promise<Device | string> {
  try {
    return await openDevice({ limits: "default" });
  } catch (error) {
    return messageOf(error);
  }
}

let last = Promise.resolve();
let ending = new AbortController();
scope.onmessage = ({ data }) => {
  if (data.do === "stop") return ending.abort();
  ending = new AbortController();
  const { signal } = ending;
  last = last
    .then(() => answer(data, signal))
    .catch((error) => reply({ told: "failed", message: messageOf(error) }));
};
