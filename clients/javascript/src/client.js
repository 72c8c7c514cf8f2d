import { randomBytes } from "node:crypto";
import { TaskQueueError } from "./errors.js";
import { Http } from "./http.js";
import { Backoff, now, sleep } from "./time.js";

const TRIES = 5;
const MOST_AT_ONCE = 1000;
const LONGEST_WAIT = 30;
const GRACE = 10; // seconds for the answer of a read that waited
const ENDED = ["completed", "failed", "cancelled", "expired"];

/** Enqueues and reads tasks. */
export class Client {
  /**
   * @param {string | URL} url of the server, with its path base if it has one: `https://example.org/queue`
   * @param {import("../index.js").ClientOptions} [options]
   */
  constructor(url, { key, fetch } = {}) {
    /** @internal */
    this.http = new Http(url, key, fetch);
  }

  /**
   * Enqueues a task. When it returns, the task is stored.
   * @param {string} queue @param {string} name @param {unknown} [data] @param {import("../index.js").TaskOptions} [options]
   * @returns {Promise<import("../index.js").Enqueued>}
   */
  async enqueue(queue, name, data, options = {}) {
    const task = bodyOf({ ...options, queue, name, data });
    const body = JSON.stringify(task);
    return repeat(async (tries) => {
      const answer = await this.http.send("POST", "/tasks", body, { needs: ["id", "status"] });
      return enqueued(task.id, answer.id, answer.status, tries);
    });
  }

  /**
   * Enqueues tasks in transactions of up to 1,000; the answers are in the same order.
   * @param {Iterable<import("../index.js").NewTask>} tasks
   * @returns {Promise<import("../index.js").Enqueued[]>}
   */
  async enqueueMany(tasks) {
    const answers = [];
    for (const chunk of chunks(tasks)) {
      const bodies = chunk.map(bodyOf);
      const body = JSON.stringify({ tasks: bodies });
      answers.push(...(await repeat(async (tries) => {
        const answer = await this.http.send("POST", "/tasks/bulk", body, { needs: ["ids", "results"] });
        return bodies.map((task, i) => enqueued(task.id, answer.ids[i], answer.results[i], tries));
      })));
    }
    return answers;
  }

  /**
   * A task with its timeline; null if there is none, or this key may not read it.
   * @param {string} id @returns {Promise<import("../index.js").Task | null>}
   */
  get(id) {
    return this.#get(id);
  }

  /**
   * Waits until a task has ended, whether it completed or not: look at its `status`.
   * @param {string} id @param {{ timeout?: number, signal?: AbortSignal }} [options] seconds, 60 by default
   * @returns {Promise<import("../index.js").Task>}
   */
  async wait(id, { timeout = 60, signal } = {}) {
    const end = now() + timeout;
    for (let pause = 0.1; ; pause = Math.min(pause * 2, 2)) {
      signal?.throwIfAborted();
      const asked = now();
      const wait = Math.min(Math.max(end - asked, 0), LONGEST_WAIT);
      let task;
      try {
        task = await this.#get(id, end, signal);
      } catch (fault) {
        if (!(fault instanceof TaskQueueError) || !fault.isTransient || now() < end) throw fault;
        throw new TaskQueueError(`task ${id} was not seen to end in ${timeout} s: ${fault.message}`, { code: "timeout", cause: fault });
      }
      if (task === null) throw new TaskQueueError(`there is no task ${id}`, { status: 404, code: "not_found" });
      if (ENDED.includes(task.status)) return task;
      if (now() >= end) throw new TaskQueueError(`task ${id} is ${task.status} after ${timeout} s`, { code: "timeout" });
      // a server that stops, or that cannot wait, answers early
      if (now() - asked < wait) await sleep(Math.min(pause, end - now()), signal);
    }
  }

  /**
   * Cancels a task that has not ended. A worker that runs it learns of it with its next heartbeat.
   * @param {string} id @returns {Promise<void>}
   */
  async cancel(id) {
    await this.http.send("POST", `/tasks/${encodeURIComponent(id)}/cancel`);
  }

  /**
   * Waits for the end of the task until then, but not longer than one request should.
   * @param {string} id @param {number} [end] @param {AbortSignal} [signal]
   */
  async #get(id, end, signal) {
    const path = `/tasks/${encodeURIComponent(id)}`;
    try {
      return await repeat(() => {
        const wait = end === undefined ? 0 : Math.min(end - now(), LONGEST_WAIT);
        const query = wait > 0 ? `?wait_seconds=${wait.toFixed(3)}` : "";
        const timeout = end === undefined ? 60 : Math.max(wait, 0) + GRACE;
        return this.http.send("GET", path + query, undefined, { needs: ["status"], timeout, signal });
      }, signal, end);
    } catch (fault) {
      if (fault instanceof TaskQueueError && fault.status === 404) return null;
      throw fault;
    }
  }
}

/**
 * Sends up to five times, or until then; the argument counts from 1.
 * @template T @param {(tries: number) => Promise<T>} send @param {AbortSignal} [signal] @param {number} [end] @returns {Promise<T>}
 */
async function repeat(send, signal, end = Infinity) {
  const backoff = new Backoff();
  for (let tries = 1; ; tries++) {
    try {
      return await send(tries);
    } catch (fault) {
      signal?.throwIfAborted();
      const left = end - now();
      if (!(fault instanceof TaskQueueError) || !fault.isTransient || tries === TRIES || left <= 0) throw fault;
      await sleep(Math.min(backoff.pause(fault.retryAfter), left), signal);
    }
  }
}

/** @param {import("../index.js").NewTask} task @returns {Record<string, any> & { id: string }} */
function bodyOf({ queue, name, data, ...options }) {
  return { ...options, id: options.id ?? newId(), queue, action: name, data };
}

/** A duplicate with the id of this task is what an earlier try enqueued. */
function enqueued(/** @type {string} */ own, /** @type {string} */ id, /** @type {string} */ status, /** @type {number} */ tries) {
  return { id, status: status === "duplicate" && tries > 1 && id === own.toLowerCase() ? "queued" : status };
}

/** A UUID of version 7: ids in order of time keep the server's indexes small. */
export function newId() {
  const hex = Date.now().toString(16).padStart(12, "0") + randomBytes(10).toString("hex");
  const variant = (8 | (parseInt(hex[16], 16) & 3)).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-7${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
}

/** @template T @param {Iterable<T>} items @returns {Iterable<T[]>} */
function* chunks(items) {
  /** @type {T[]} */
  let chunk = [];
  for (const item of items) {
    if (chunk.push(item) < MOST_AT_ONCE) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}
