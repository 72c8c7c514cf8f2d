import { TaskQueueError, isRefused } from "./errors.js";
import { Backoff, sleep } from "./time.js";

/** @typedef {{ task: import("./task.js").TaskContext, text: string }} Entry */

const MOST_ENTRIES = 200, MOST_CHARS = 1024 * 1024;

/** Reports outcomes until they arrive; each request carries what became ready during the previous one. */
export class Reporter {
  #inFlight;
  #server;
  #logger;
  #over = new AbortController();

  /**
   * @param {import("./in-flight.js").InFlight} inFlight @param {import("./server.js").Server} server
   * @param {import("../index.js").Logger} logger
   */
  constructor(inFlight, server, logger) {
    this.#inFlight = inFlight;
    this.#server = server;
    this.#logger = logger;
  }

  /** What is not reported by now is given up: the tasks run again when their leases expire. */
  giveUp() {
    this.#over.abort();
  }

  async run() {
    const backoff = new Backoff();
    for (;;) {
      while (this.#inFlight.ended.length === 0) {
        if (this.#inFlight.isComplete) return;
        await this.#inFlight.reports.wait();
      }
      /** @type {Entry[]} */
      let entries = this.#inFlight.ended.splice(0, MOST_ENTRIES).map((task) => ({ task, text: this.#textOf(task) }));
      /** Drops what has arrived: a fault that follows does not have it sent again. @param {Entry[]} some */
      const arrived = (some) => {
        entries = entries.filter((entry) => !some.includes(entry));
        for (const { task } of some) this.#inFlight.remove(task);
      };
      while (entries.length > 0) {
        const some = firstOf(entries);
        try {
          await this.#send(some, arrived);
        } catch (fault) {
          if (!(fault instanceof TaskQueueError)) throw fault;
          this.#server.failed(`reporting ${some.length} tasks failed: ${fault.message}`);
          await sleep(backoff.pause(fault.retryAfter), this.#over.signal);
          if (!this.#over.signal.aborted) continue;
          this.#logger.error(`the outcomes of ${entries.length + this.#inFlight.ended.length} tasks were not reported before the worker `
            + "stopped; the tasks run again when their leases expire");
          return;
        }
        backoff.reset();
      }
    }
  }

  /** The entry of a report. An outcome that is no JSON fails its task, not the worker. @param {import("./task.js").TaskContext} task */
  #textOf(task) {
    try {
      return task.report();
    } catch (fault) {
      const why = `the outcome cannot be sent: ${fault instanceof Error ? fault.message : "it has no JSON"}`;
      this.#logger.error(`task ${task.id}: ${why}`);
      task.refuse(why);
      return task.report();
    }
  }

  /** @param {Entry[]} entries @param {(some: Entry[]) => void} arrived @returns {Promise<void>} */
  async #send(entries, arrived) {
    /** @type {(TaskQueueError | undefined)[]} */
    let refusals;
    try {
      refusals = await this.#server.report(entries.map((entry) => entry.text), this.#over.signal);
    } catch (fault) {
      if (!isRefused(fault)) throw fault;
      if (entries.length > 1) { // which of them, it does not say
        for (const entry of entries) await this.#send([entry], arrived);
        return;
      }
      refusals = [fault];
    }
    arrived(entries.filter((_, i) => refusals[i] === undefined));
    for (const [i, entry] of entries.entries()) {
      const refusal = refusals[i];
      if (refusal === undefined) continue;
      await this.#sendRefused(entry.task, refusal);
      arrived([entry]);
    }
  }

  /** @param {import("./task.js").TaskContext} task @param {TaskQueueError} fault */
  async #sendRefused(task, fault) {
    if (task.hasExtras) { // a log or a stack must not fail the task
      try {
        return await this.#sendOne(task.report(true));
      } catch (again) {
        if (!isRefused(again)) throw again;
      }
    }
    this.#logger.error(`the outcome of task ${task.id} was refused: ${fault.message}`);
    task.refuse(`the server refused the outcome: ${fault.message}`);
    await this.#sendOne(task.report());
  }

  /** @param {string} text */
  async #sendOne(text) {
    const [refusal] = await this.#server.report([text], this.#over.signal);
    if (refusal) throw refusal;
  }
}

/** As many as one request should hold, at least one. @param {Entry[]} entries */
function firstOf(entries) {
  let size = 0;
  const end = entries.findIndex(({ text }, i) => (size += text.length) > MOST_CHARS && i > 0);
  return end < 0 ? entries : entries.slice(0, end);
}
