import { Wakeup } from "./time.js";

/** @typedef {import("./task.js").TaskContext} TaskContext */

const FAILED = { outcome: "failed", retryable: true, error: "the handler failed, and what it threw cannot be described" };
const RELEASED = { outcome: "snoozed", delay_seconds: 0 };

/**
 * The tasks that a worker holds, at most slots plus prefetch: those that wait, those that run, and those whose outcome is being
 * reported.
 */
export class InFlight {
  /** Claimed and not reported. @type {Map<string, TaskContext>} */
  held = new Map();
  /** @type {TaskContext[]} */
  ended = [];
  /** In a handler, whether they are held or not. @type {Set<TaskContext>} */
  running = new Set();
  isClosed = false; // takes no more tasks
  isComplete = false; // no further task will end
  wantsHeartbeat = false;
  beats = new Wakeup();
  reports = new Wakeup();
  idle = new Wakeup();
  #room = new Wakeup();
  /** @type {TaskContext[]} */
  #waiting = [];
  #slots;
  #prefetch;
  #run;

  /** @param {number} slots @param {number} prefetch @param {(task: TaskContext) => Promise<void>} run runs a task and settles it */
  constructor(slots, prefetch, run) {
    this.#slots = slots;
    this.#prefetch = prefetch;
    this.#run = run;
  }

  get isIdle() {
    return this.isClosed && this.running.size === 0 && this.held.size === 0;
  }

  /** Waits until a claim is worthwhile; 0: no more is claimed. */
  async waitForRoom() {
    for (;;) {
      if (this.isClosed) return 0;
      const lost = [...this.running].filter((task) => this.held.get(task.id) !== task).length; // they still have their slots
      const room = this.#slots + this.#prefetch - this.held.size - lost;
      if (room > 0 && this.#waiting.length <= this.#prefetch / 2) return room;
      await this.#room.wait();
    }
  }

  /** Accepts a task. An older attempt at it that is still held has lost its lease. @param {TaskContext} task */
  take(task) {
    const older = this.held.get(task.id);
    if (older && older.attempt >= task.attempt) return;
    older?.lose();
    this.held.set(task.id, task);
    if (this.isClosed) {
      this.settle(task, RELEASED);
    } else {
      this.#waiting.push(task);
      this.#start();
    }
    this.beats.wake(); // its lease may be the shortest
  }

  /** The first outcome wins. @param {TaskContext} task @param {Record<string, any>} outcome @param {string} [result] */
  settle(task, outcome, result) {
    if (!task.settle(outcome, result)) return false;
    this.ended.push(task);
    this.reports.wake();
    return true;
  }

  /** Takes no more tasks, and releases those that wait. */
  close() {
    this.isClosed = true;
    for (const task of this.#waiting.splice(0)) this.settle(task, RELEASED);
    this.#room.wake();
  }

  /** Releases what still runs: its outcome does not count any more. No further task will end. */
  releaseAll() {
    for (const task of [...this.held.values()]) if (this.settle(task, RELEASED)) task.abort();
    this.isComplete = true;
    this.reports.wake();
  }

  /** It is reported or lost. @param {TaskContext} task */
  remove(task) {
    if (this.held.get(task.id) === task) this.held.delete(task.id);
    this.#room.wake();
    this.idle.wake();
  }

  /** There is something that should not wait for the next regular heartbeat. */
  wake() {
    this.wantsHeartbeat = true;
    this.beats.wake();
  }

  #start() {
    while (this.running.size < this.#slots && this.#waiting.length > 0) {
      const task = /** @type {TaskContext} */ (this.#waiting.shift());
      if (task.isOver) continue;
      this.running.add(task);
      const failed = () => this.settle(task, FAILED); // what it threw is as strange as can be
      void this.#run(task).catch(failed).finally(() => {
        this.running.delete(task);
        this.#start();
        this.idle.wake();
      });
    }
    this.#room.wake();
  }
}
