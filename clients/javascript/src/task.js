import { now } from "./time.js";

const DEFAULT_LEASE = 15; // seconds
const MAX_PROGRESS = 4096; // characters of JSON
const MAX_DEPTH = 60; // of progress; the server reads a heartbeat of 64 levels
const MAX_LINES = 100; // of a heartbeat or report of an attempt
const MAX_LOG_BYTES = 64 * 1024;
const MAX_MESSAGE_BYTES = 8 * 1024;
const LEVELS = ["debug", "info", "warning", "error"];

/** A task that a handler runs. */
export class TaskContext {
  #stop = new AbortController();
  #wake;
  #log = new PendingLog();
  /** @type {string | undefined} */
  #progress;
  #urgent = false;
  #lost = false;
  #expired = false;
  /** @type {Record<string, any> | undefined} */
  #outcome;
  /** @type {string | undefined} */
  #result;
  /** @type {object[] | undefined} */
  #lastLogs;

  /** @param {any} claimed @param {number | undefined} lease @param {() => void} wake */
  constructor(claimed, lease, wake) {
    this.#wake = wake;
    /** @type {string} */
    this.id = claimed.id;
    /** @type {number} */
    this.attempt = claimed.attempt;
    /** @type {number} */
    this.maxAttempts = claimed.max_attempts;
    /** @type {string} */
    this.queue = claimed.queue;
    /** @type {number} */
    this.tier = claimed.tier;
    /** @type {string | null} */
    this.name = claimed.name ?? null;
    /** @type {string} */
    this.priority = claimed.priority;
    /** @type {string[]} */
    this.tags = claimed.tags ?? [];
    /** @type {string | null} */
    this.orderingKey = claimed.ordering_key ?? null;
    /** @type {string | null} */
    this.traceparent = claimed.traceparent ?? null;
    /** @type {string | null} */
    this.tracestate = claimed.tracestate ?? null;
    /** @type {any} */
    this.payload = claimed.payload;
    const isOurs = typeof this.payload === "object" && this.payload !== null && !Array.isArray(this.payload) && "data" in this.payload;
    /** @type {any} */
    this.data = isOurs ? this.payload.data : this.payload;
    /** @internal @type {number} */
    this.lease = lease ?? claimed.lease_seconds ?? DEFAULT_LEASE;
    /** @internal */
    this.renewedAt = now();
  }

  /**
   * Aborted when the outcome does not count any more: the server said that the task was cancelled or is another attempt's, or the
   * worker's drain is over.
   */
  get signal() {
    return this.#stop.signal;
  }

  /**
   * Whether the task is lost, or its lease could not be renewed in time: then another worker may run it, until a heartbeat
   * arrives and the server says whose it is. After an outage the server lets leases start over, so most tasks go on.
   */
  get leaseLost() {
    return this.#lost || this.#expired;
  }

  /** Shows a JSON value to readers of the task. Sent soon; a newer value replaces one that waits. @param {unknown} value */
  progress(value) {
    const text = JSON.stringify(value);
    if (text === undefined) throw new TypeError("progress must be a JSON value");
    if (text.length > MAX_PROGRESS) throw new RangeError(`progress may have ${MAX_PROGRESS} characters of JSON, not ${text.length}`);
    if (depthOf(text) > MAX_DEPTH) throw new RangeError(`progress may be nested ${MAX_DEPTH} levels deep, not ${depthOf(text)}`);
    if (this.isOver) return;
    this.#progress = text;
    this.#urgent = true;
    this.#wake();
  }

  /** Logs a line with the task. @param {string} message @param {import("../index.js").LogLevel} [level] */
  log(message, level = "info") {
    if (!LEVELS.includes(level)) throw new TypeError(`level must be one of ${LEVELS.join(", ")}`);
    if (message === "" || this.isOver) return;
    this.#log.add({ at: new Date().toISOString(), level, message: cutBytes(String(message), MAX_MESSAGE_BYTES) });
    if (!this.#log.isHalfFull) return;
    this.#urgent = true;
    this.#wake();
  }

  // What follows is the worker's.

  /** @internal */
  get isOver() {
    return this.#lost || this.#outcome !== undefined;
  }

  /** The first outcome wins. @internal @param {Record<string, any>} outcome @param {string} [result] JSON */
  settle(outcome, result) {
    if (this.isOver) return false;
    this.#outcome = outcome;
    this.#result = result;
    return true;
  }

  /** @internal */
  lose() {
    if (this.isOver) return false;
    this.#lost = true;
    this.abort();
    return true;
  }

  /** The lease was not renewed in time. Whether the task is lost is the server's verdict, so the handler goes on. @internal */
  expire() {
    if (this.isOver || this.#expired) return false;
    this.#expired = true;
    return true;
  }

  /** The server has answered a heartbeat that was sent then, and knows the task as this worker's. @internal @param {number} sentAt */
  renew(sentAt) {
    this.renewedAt = sentAt;
    this.#expired = false;
  }

  /** @internal */
  abort() {
    this.#stop.abort();
  }

  /**
   * What the next heartbeat says about it; null if only what is urgent is sent, and nothing is.
   * @internal @param {boolean} everything @param {number | undefined} lease
   */
  heartbeat(everything, lease) {
    if (!everything && !this.#urgent) return null;
    this.#urgent = false;
    const progress = this.#progress;
    const logs = this.#outcome === undefined ? this.#log.take() : [];
    this.#progress = undefined;
    const entry = { id: this.id, attempt: this.attempt, lease_seconds: lease };
    const bare = JSON.stringify(entry);
    const text = logs.length > 0 ? JSON.stringify({ ...entry, logs }) : bare;
    return { task: this, progress, logs, bare, text: progress === undefined ? text : `${text.slice(0, -1)},"progress":${progress}}` };
  }

  /** Keeps what a failed heartbeat carried for the next one. @internal @param {{ progress?: string, logs: any[] }} beat */
  putBack({ progress, logs }) {
    this.#progress ??= progress;
    this.#log.putBack(logs);
  }

  /** The entry of a report; it may be asked for again. Bare: without log and stack. @internal */
  report(bare = false) {
    this.#lastLogs ??= this.#log.take();
    /** @type {Record<string, any>} */
    const entry = { id: this.id, attempt: this.attempt, ...this.#outcome };
    if (bare) delete entry.stack;
    else if (this.#lastLogs.length > 0) entry.logs = this.#lastLogs;
    const text = JSON.stringify(entry);
    return this.#result === undefined ? text : `${text.slice(0, -1)},"result":${this.#result}}`;
  }

  /** @internal */
  get hasExtras() {
    return (this.#lastLogs?.length ?? 0) > 0 || this.#outcome?.stack !== undefined;
  }

  /** Replaces an outcome that cannot be sent, or that the server does not accept. @internal @param {string} why */
  refuse(why) {
    this.#outcome = { outcome: "failed", error: cutBytes(why, MAX_MESSAGE_BYTES), retryable: false };
    this.#result = undefined;
    this.#lastLogs = [];
  }
}

/** Lines that wait; the oldest are dropped when there are too many. */
export class PendingLog {
  /** @type {{ at: string, level: string, message: string }[]} */
  #lines = [];
  #bytes = 0;

  get isHalfFull() {
    return this.#lines.length >= MAX_LINES / 2 || this.#bytes >= MAX_LOG_BYTES / 2;
  }

  /** @param {{ at: string, level: string, message: string }} line */
  add(line) {
    this.#lines.push(line);
    this.#bytes += Buffer.byteLength(line.message);
    while (this.#lines.length > MAX_LINES || this.#bytes > MAX_LOG_BYTES)
      this.#bytes -= Buffer.byteLength(/** @type {any} */ (this.#lines.shift()).message);
  }

  take() {
    const taken = this.#lines;
    this.#lines = [];
    this.#bytes = 0;
    return taken;
  }

  /** @param {{ at: string, level: string, message: string }[]} older */
  putBack(older) {
    for (const line of [...older, ...this.take()]) this.add(line);
  }
}

/** The beginning of a text whose UTF-8 form fits. @param {string} text @param {number} most */
export function cutBytes(text, most) {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Buffer.from(text.slice(0, most)).subarray(0, most), { stream: true });
}

/** How deep lists and objects of a JSON text are nested. @param {string} json */
export function depthOf(json) {
  let depth = 0, most = 0;
  for (const mark of json.replace(/"(?:[^"\\]|\\.)*"/g, "")) {
    if (mark === "[" || mark === "{") most = Math.max(most, ++depth);
    else if (mark === "]" || mark === "}") depth--;
  }
  return most;
}
