/** The other ranks of a training: they do what rank 0 orders, and write nothing. */
import { keptChoices } from "../choose/device_choices";
import { during } from "../choose/observer";
import type { Device } from "../gpu/device";
import { Memory } from "../gpu/memory";
import type { Ranks } from "../mpi/ranks";
import type { EndSignal } from "../platform/interruption";
import { agree, inputFacts, trainerFacts } from "./agreement";
import { type Order, type Sharer, shareValidation } from "./lead";
import type { Observer } from "./observer";
import { controllerOf } from "./ranks_signal";
import { inputsOf } from "./run_inputs";
import { setUp } from "./set_up";
import type { TrainRequest } from "./train_task";

/**
 * Trains with rank 0 until that ends.
 * @returns the signal of the system that ended the training early
 * @throws UserError as train does, and RankLost
 */
export async function followTraining(
  device: Device,
  request: TrainRequest & { readonly ranks: Ranks },
  observer: Observer,
  signal: AbortSignal,
): Promise<EndSignal | undefined> {
  const { config, ranks } = request;
  const controller = controllerOf(signal, ranks);
  const memory = new Memory(device);
  const task = { memory, request, observer, signal: controller.signal };
  const inputs = await ranks.firstOfEachMachine(() => inputsOf(task));
  await agree(ranks, inputFacts(device, config, inputs));
  const choices = keptChoices(await ranks.broadcastValue());
  const { trainer, predict, release } = await setUp(task, inputs, choices);
  try {
    await agree(ranks, await trainerFacts(memory, trainer));
    const sharer = { ranks, patients: inputs.patients, predict, controller };
    const step = (progress: number) => trainer.step(progress);
    return await during(observer, "training", () => obey(sharer, step));
  } finally {
    await release();
  }
}

async function obey(
  sharer: Sharer,
  step: (progress: number) => Promise<void>,
): Promise<EndSignal | undefined> {
  const { signal } = sharer.controller;
  for (;;) {
    const order = await sharer.ranks.broadcastValue<Order>();
    switch (order.do) {
      case "step":
        await step(order.progress);
        break;
      case "validate":
        try {
          await shareValidation(sharer, order.task);
        } catch (error) {
          // Rank 0 knows of it, and says what follows.
          if (!signal.aborted || error !== signal.reason || sharer.ranks.lost) throw error;
        }
        break;
      case "end":
        return order.signal;
      default:
        order satisfies never;
    }
  }
}
