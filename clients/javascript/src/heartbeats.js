import { TaskQueueError, isRefused } from "./errors.js";
import { now } from "./time.js";

/** @typedef {{ task: import("./task.js").TaskContext, text: string, bare: string, progress?: string, logs: any[] }} Beat */

const GONE = ["finished", "stale_attempt", "not_found"];
const LONGEST = 5, SHORTEST = 0.25, URGENT = 0.1; // seconds between heartbeats
const MOST_ENTRIES = 1000, MOST_CHARS = 512 * 1024;

/** Renews the leases of held tasks every third of the shortest lease; sends progress sooner. */
export class Heartbeats {
  #inFlight;
  #server;
  #logger;
  #lease;
  #isOver = false;

  /**
   * @param {import("./in-flight.js").InFlight} inFlight @param {import("./server.js").Server} server
   * @param {import("../index.js").Logger} logger @param {number | undefined} lease
   */
  constructor(inFlight, server, logger, lease) {
    this.#inFlight = inFlight;
    this.#server = server;
    this.#logger = logger;
    this.#lease = lease;
  }

  end() {
    this.#isOver = true;
    this.#inFlight.beats.wake();
  }

  async run() {
    let last = now();
    let urgent = last;
    while (!this.#isOver) {
      const period = this.#period();
      const regular = last + period;
      const due = this.#inFlight.wantsHeartbeat ? Math.min(regular, urgent + URGENT) : regular;
      if (now() < due) {
        await this.#inFlight.beats.wait(due - now());
        continue;
      }
      const everything = now() >= regular;
      this.#inFlight.wantsHeartbeat = false;
      urgent = now();
      if (everything) last = urgent;
      const held = [...this.#inFlight.held.values()];
      const beats = held.map((task) => task.heartbeat(everything, this.#lease)).filter((beat) => beat !== null);
      for (const some of requestsOf(beats)) await this.#send(some, last + period);
    }
  }

  #period() {
    const leases = [...this.#inFlight.held.values()].map((task) => task.lease);
    return leases.length === 0 ? LONGEST : Math.max(Math.min(...leases) / 3, SHORTEST);
  }

  /**
   * Whether the server knows now that the tasks are held.
   * @param {Beat[]} beats @param {number} due when the next regular heartbeat is @returns {Promise<boolean>}
   */
  async #send(beats, due) {
    const sentAt = now();
    let answers;
    try {
      answers = await this.#server.heartbeat(beats.map((beat) => beat.text));
    } catch (fault) {
      if (!(fault instanceof TaskQueueError)) throw fault;
      if (isRefused(fault) && beats.some(hasExtras)) return this.#sendRefused(beats, fault, due);
      putBack(beats);
      this.#server.failed(`the heartbeat of ${beats.length} tasks failed: ${fault.message}`);
      for (const { task } of beats) this.#expire(task);
      return false;
    }
    /** @type {Beat[]} */
    const refused = [];
    answers.forEach(({ code, error }, i) => {
      const { task } = beats[i];
      if (code === "invalid") {
        refused.push(beats[i]);
        this.#logger.warn(`the progress or log of task ${task.id} was refused: ${error}`);
      } else if (!GONE.includes(code)) {
        task.renew(sentAt);
      } else if (task.lose()) {
        this.#logger.info(`task ${task.id} attempt ${task.attempt} is not this worker's any more: ${code}`);
        this.#inFlight.remove(task);
      }
    });
    return refused.length === 0 || this.#renewRefused(refused, due);
  }

  /**
   * Renews the tasks of heartbeats that the server has refused among others, without what they say.
   * @param {Beat[]} beats @param {number} due
   */
  async #renewRefused(beats, due) {
    const some = beats.filter(hasExtras);
    for (const { task } of beats.filter((beat) => !hasExtras(beat))) this.#expire(task);
    return some.length > 0 && (await this.#send(some.map(bareOf), due)) && some.length === beats.length;
  }

  /**
   * One refused progress or log line must not cost the leases of all: they are renewed first, without any. Then halves are sent
   * until what is refused stands alone. When the next regular heartbeat is due, one more is tried alone, so that each heartbeat
   * gets further, and the rest waits for it.
   * @param {Beat[]} beats @param {TaskQueueError} fault @param {number} due
   */
  async #sendRefused(beats, fault, due) {
    const renewed = await this.#send(beats.map(bareOf), due);
    const some = beats.filter(hasExtras);
    if (!renewed) {
      putBack(some);
    } else if (some.length === 1) { // it must not fail the next heartbeat too
      this.#logger.warn(`the progress or log of task ${some[0].task.id} was refused: ${fault.message}`);
    } else {
      const half = now() < due ? Math.floor(some.length / 2) : 1;
      await this.#send(some.slice(0, half), due);
      if (now() < due) await this.#send(some.slice(half), due);
      else putBack(some.slice(half));
    }
    return renewed;
  }

  /**
   * Tells a handler whose task's lease could not be renewed in time that another may run the task by now. It aborts nothing: the
   * server lets leases start over after an outage, and decides whether what the handler answers counts.
   * @param {import("./task.js").TaskContext} task
   */
  #expire(task) {
    if (!this.#inFlight.running.has(task) || now() - task.renewedAt <= task.lease || !task.expire()) return;
    this.#logger.warn(`the lease of task ${task.id} attempt ${task.attempt} could not be renewed in time`);
  }
}

/** @param {Beat[]} beats */
function putBack(beats) {
  for (const beat of beats) beat.task.putBack(beat);
}

/** @param {Beat} beat @returns {Beat} */
function bareOf({ task, bare }) {
  return { task, text: bare, bare, logs: [] };
}

/** @param {Beat} beat */
function hasExtras(beat) {
  return beat.progress !== undefined || beat.logs.length > 0;
}

/** Parts that one request should hold. @param {any[]} beats @returns {Iterable<Beat[]>} */
function* requestsOf(beats) {
  /** @type {Beat[]} */
  let some = [];
  let size = 0;
  for (const beat of beats) {
    if (some.length > 0 && (some.length === MOST_ENTRIES || size + beat.text.length > MOST_CHARS)) {
      yield some;
      some = [];
      size = 0;
    }
    some.push(beat);
    size += beat.text.length;
  }
  if (some.length > 0) yield some;
}
