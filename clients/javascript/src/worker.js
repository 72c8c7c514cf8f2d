import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { PermanentFailure, Snooze, TaskQueueError } from "./errors.js";
import { Heartbeats } from "./heartbeats.js";
import { InFlight } from "./in-flight.js";
import { Reporter } from "./reporter.js";
import { LONGEST_POLL, Server } from "./server.js";
import { TaskContext, cutBytes } from "./task.js";
import { Backoff, now, sleep, within } from "./time.js";

const LAST_CLAIM = 1; // seconds of a claim in flight when the worker stops: if abandoned at once, what it gets waits for its lease
const LAST_REPORTS = 5; // seconds for outcomes that are not reported when the drain is over
const REFUSED_PAUSE = 15; // seconds; a refused claim cannot succeed until its cause is mended
const UNKNOWN_DELAY = 10; // seconds
const MOST_NAMES = 10;
const MOST_ERROR_BYTES = 8 * 1024, MOST_TYPE = 200, MOST_STACK_BYTES = 16 * 1024;

/** @type {import("../index.js").Logger} */
const CONSOLE = {
  debug() {},
  info() {},
  warn: (text) => console.warn(text),
  error: (text, fault) => console.error(text, ...(fault === undefined ? [] : [fault])),
};

/** Claims tasks, runs them, renews their leases and reports their outcomes. */
export class Worker {
  /** Unique name of the worker. @type {string} */
  name;

  #queues;
  #lease;
  #drainTimeout;
  #unknownNames;
  #logger;
  #info;
  #inFlight;
  #server;
  #reporter;
  #heartbeats;
  /** @type {Map<string, (task: TaskContext) => unknown>} */
  #handlers = new Map();
  #isStarted = false;
  #isDraining = false;
  #closed = new AbortController();
  #stopped = new AbortController();
  #drainOver = new AbortController();

  /**
   * @param {import("./client.js").Client} client
   * @param {string[]} queues 1 to 100, `name` or `name:tier`, most urgent first
   * @param {import("../index.js").WorkerOptions} [options]
   */
  constructor(client, queues, options = {}) {
    const { slots = 2, prefetch = 5, lease, drainTimeout = 25, unknownNames = "fail", name, version, logger = CONSOLE } = options;
    demand(Array.isArray(queues) && queues.length >= 1 && queues.length <= 100, "queues must be a list of 1 to 100 names");
    demand(Number.isInteger(slots) && slots >= 1 && slots <= 500, "slots must be 1 to 500");
    demand(Number.isInteger(prefetch) && prefetch >= 0 && prefetch <= 500, "prefetch must be 0 to 500");
    demand(lease === undefined || (lease >= 1 && lease <= 86_400), "lease must be 1 to 86,400 seconds");
    demand(drainTimeout >= 0 && drainTimeout <= 86_400, "drainTimeout must be 0 to 86,400 seconds");
    demand(["fail", "release"].includes(unknownNames), "unknownNames must be 'fail' or 'release'");
    demand(name === undefined || (name.length >= 1 && name.length <= 200), "name must have 1 to 200 characters");
    this.name = name ?? `${hostname().slice(0, 150)}:${process.pid}:${randomUUID().slice(0, 8)}`;
    this.#queues = [...queues];
    this.#lease = lease;
    this.#drainTimeout = drainTimeout;
    this.#unknownNames = unknownNames;
    this.#logger = guarded(logger);
    this.#info = { version: version?.slice(0, 100), host: hostname().slice(0, 200), slots, instance: randomUUID() };
    this.#inFlight = new InFlight(slots, prefetch, (task) => this.#runTask(task));
    this.#server = new Server(client, this.#logger, () => this.#drain());
    this.#reporter = new Reporter(this.#inFlight, this.#server, this.#logger);
    this.#heartbeats = new Heartbeats(this.#inFlight, this.#server, this.#logger, lease);
    for (const { signal } of [this.#stopped, this.#drainOver]) signal.addEventListener("abort", () => this.#inFlight.idle.wake());
  }

  /** Whether the server has asked the worker to finish its tasks and claim no more. */
  get draining() {
    return this.#isDraining;
  }

  /**
   * Sets the function that runs tasks of exactly this name; the last one for a name wins.
   * @param {string} name @param {(task: any) => unknown} handler
   */
  handle(name, handler) {
    demand(typeof name === "string" && name !== "", "a handler needs the name of its tasks");
    demand(typeof handler === "function", "a handler is a function");
    this.#handlers.set(name, handler);
    return this;
  }

  /** Begins the drain, as SIGTERM does; `run` ends when it is over. A second call ends the drain. */
  stop() {
    if (this.#stopped.signal.aborted) this.#drainOver.abort();
    this.#stopped.abort();
  }

  /**
   * Works until `stop` is called, or SIGTERM or SIGINT comes; a second one ends the drain. A worker that an operator drains finishes
   * its tasks and then waits for the stop.
   * @param {{ signals?: boolean }} [options] false leaves signals to the program
   */
  async run({ signals = true } = {}) {
    if (this.#isStarted) throw new Error("a worker runs once");
    this.#isStarted = true;
    const stop = () => this.stop();
    if (signals) for (const name of /** @type {NodeJS.Signals[]} */ (["SIGTERM", "SIGINT"])) process.on(name, stop);
    const alive = setInterval(() => {}, 0x7fffffff); // a drained worker waits for its stop; a promise keeps no process
    try {
      await this.#run();
    } finally {
      clearInterval(alive);
      if (signals) for (const name of ["SIGTERM", "SIGINT"]) process.off(name, stop);
    }
  }

  async #run() {
    this.#logger.info(`worker ${this.name} works on ${this.#queues.join(", ")}`);
    const lastClaim = new AbortController();
    const claiming = this.#guard("claims", this.#claim(lastClaim.signal));
    const reporting = this.#guard("reports", this.#reporter.run());
    const beating = this.#guard("heartbeats", this.#heartbeats.run());

    let saidGoodbye = false;
    while (!this.#stopped.signal.aborted) {
      if (this.#isDraining && !saidGoodbye && this.#inFlight.isIdle) {
        saidGoodbye = true;
        await this.#server.sayGoodbye(this.name);
      } else {
        await this.#inFlight.idle.wait();
      }
    }

    this.#close();
    await within(claiming, LAST_CLAIM);
    lastClaim.abort();
    const end = now() + this.#drainTimeout;
    while (this.#inFlight.running.size > 0 && now() < end && !this.#drainOver.signal.aborted) await this.#inFlight.idle.wait(end - now());
    this.#inFlight.releaseAll();
    const timer = setTimeout(() => this.#reporter.giveUp(), LAST_REPORTS * 1000);
    await reporting;
    clearTimeout(timer);
    this.#heartbeats.end();
    await within(beating, LAST_CLAIM);
    if (!saidGoodbye) await this.#server.sayGoodbye(this.name);
    this.#logger.info(`worker ${this.name} has stopped`);
  }

  /** @param {string} what @param {Promise<void>} work */
  async #guard(what, work) {
    try {
      await work;
    } catch (fault) {
      this.#logger.error(`the ${what} of worker ${this.name} ended`, fault);
      if (!this.#stopped.signal.aborted) this.stop(); // a worker that only seems to work helps nobody
    }
  }

  #drain() {
    if (this.#isDraining) return;
    this.#isDraining = true;
    this.#logger.warn(`worker ${this.name} was asked to drain: it finishes its tasks and claims no more until it is restarted`);
    this.#close();
    this.#inFlight.idle.wake();
  }

  /** Takes no more tasks, and releases those that wait. */
  #close() {
    this.#inFlight.close();
    this.#closed.abort();
  }

  /** @param {AbortSignal} signal */
  async #claim(signal) {
    const backoff = new Backoff();
    let refused;
    for (;;) {
      const room = await this.#inFlight.waitForRoom();
      if (room === 0) return;
      let tasks;
      try {
        tasks = await this.#server.claim({
          queues: this.#queues, worker: this.name, max: room, lease_seconds: this.#lease, wait_seconds: LONGEST_POLL, info: this.#info,
        }, signal);
      } catch (fault) {
        if (signal.aborted) return;
        if (!(fault instanceof TaskQueueError)) throw fault;
        if (fault.isTransient) {
          this.#server.failed(fault.message);
          await sleep(backoff.pause(fault.retryAfter), this.#closed.signal);
          continue;
        }
        if (refused !== fault.message)
          this.#logger.error(`cannot claim tasks from ${this.#queues.join(", ")}, trying again every 15 s: ${adviceOn(fault)}`);
        refused = fault.message;
        await sleep(REFUSED_PAUSE, this.#closed.signal);
        continue;
      }
      backoff.reset();
      refused = undefined;
      for (const claimed of tasks) this.#inFlight.take(new TaskContext(claimed, this.#lease, () => this.#inFlight.wake()));
    }
  }

  /** @param {TaskContext} task */
  async #runTask(task) {
    try {
      const handler = task.name === null ? undefined : this.#handlers.get(task.name);
      if (!handler) {
        this.#inFlight.settle(task, this.#unknownNames === "release" ? { outcome: "snoozed", delay_seconds: UNKNOWN_DELAY }
          : { outcome: "failed", retryable: false, error: this.#unknown(task.name) });
        return;
      }
      const value = await handler(task);
      this.#inFlight.settle(task, { outcome: "completed" }, value === undefined ? undefined : JSON.stringify(value));
    } catch (fault) {
      if (fault instanceof Snooze) {
        this.#inFlight.settle(task, { outcome: "snoozed", delay_seconds: fault.seconds });
      } else if (fault instanceof PermanentFailure) {
        this.#inFlight.settle(task, { outcome: "failed", retryable: false, ...describe(fault) });
      } else if (task.signal.aborted) {
        this.#inFlight.settle(task, { outcome: "snoozed", delay_seconds: 0 });
      } else {
        const failure = describe(fault);
        this.#inFlight.settle(task, { outcome: "failed", retryable: true, ...failure });
        this.#logger.warn(`the handler of ${task.name} failed, task ${task.id} attempt ${task.attempt}: ${failure.error}`);
      }
    }
  }

  /** @param {string | null} name */
  #unknown(name) {
    const names = [...this.#handlers.keys()].sort();
    const known = [...names.slice(0, MOST_NAMES), ...(names.length > MOST_NAMES ? ["…"] : [])].join(", ") || "none at all";
    return `worker ${this.name} has no handler for '${name}'; it has ${known}`;
  }
}

/** @param {boolean} holds @param {string} rule */
function demand(holds, rule) {
  if (!holds) throw new TypeError(rule);
}

/** A logger that throws must not end the worker. @param {import("../index.js").Logger} logger @returns {import("../index.js").Logger} */
function guarded(logger) {
  return {
    debug: (text) => void textOf(() => logger.debug(text)),
    info: (text) => void textOf(() => logger.info(text)),
    warn: (text) => void textOf(() => logger.warn(text)),
    error: (...of) => void textOf(() => logger.error(...of)),
  };
}

/** @param {any} fault whatever a handler threw: each of its members may throw, too */
function describe(fault) {
  const isError = fault instanceof Error;
  const type = textOf(() => (isError ? fault.constructor.name : typeof fault)) || "Error";
  const message = textOf(() => String(isError ? fault.message : fault));
  const stack = isError ? textOf(() => fault.stack) : "";
  return {
    error: cutBytes(message || type, MOST_ERROR_BYTES),
    error_type: type.slice(0, MOST_TYPE),
    stack: stack === "" ? undefined : cutBytes(stack, MOST_STACK_BYTES),
  };
}

/** Empty if it is no text, or throws. @param {() => unknown} read @returns {string} */
function textOf(read) {
  try {
    const text = read();
    return typeof text === "string" ? text : "";
  } catch {
    return "";
  }
}

/** @param {TaskQueueError} fault */
function adviceOn(fault) {
  if (fault.status === 401) return `the server wants a valid key: give the client one (${fault.message})`;
  if (fault.status === 403) return `the key may not work on the queue (${fault.message})`;
  if (fault.code === "push_queue") return `${fault.message}; this worker needs a pull queue`;
  return fault.message;
}
