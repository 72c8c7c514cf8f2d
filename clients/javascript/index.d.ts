/** Options of a client. */
export interface ClientOptions {
  /** An API key or a token; undefined where the server wants none. */
  key?: string | null;
  /** Another `fetch`, such as one with a proxy or a client certificate. */
  fetch?: typeof fetch;
}

/** A list of intervals in seconds, or exponential backoff. */
export type RetryPolicy =
  | { intervals: number[] }
  | { first?: number; factor?: number; cap?: number; jitter?: number };

/** Options of a task, under the names that they have in `POST /tasks`. */
export interface TaskOptions {
  /** `low`, `normal`, `high` or `critical`. */
  priority?: string;
  /** Earliest start. */
  scheduled_at?: Date | string;
  /** The task expires if it has not started by this time. */
  expires_at?: Date | string;
  max_attempts?: number;
  /** At most one waiting or running task of the queue has this key; duplicates are skipped. */
  dedupe_key?: string;
  /** Fields of the waiting task that a duplicate overwrites. */
  overwrite?: ("payload" | "scheduled_at" | "expires_at")[];
  /** Tasks of a queue with the same key run one at a time. */
  ordering_key?: string;
  lease_seconds?: number;
  retry?: RetryPolicy;
  callback_url?: string;
  tags?: string[];
  /** A UUID; chosen by the client by default, so that a request that was not answered can be repeated. */
  id?: string;
}

/** A task to enqueue. */
export interface NewTask extends TaskOptions {
  /** `name` or `name:tier`. */
  queue: string;
  /** Selects the handler. */
  name: string;
  data?: unknown;
}

/** An accepted task. */
export interface Enqueued {
  id: string;
  /** `queued`, `duplicate` (`id` is the task that has the dedupe key) or `updated`. */
  status: string;
}

/** A task as `GET /tasks/{id}` answers it. */
export interface Task {
  id: string;
  queue: string;
  tier: number;
  name: string | null;
  priority: string;
  status: "pending" | "running" | "retrying" | "completed" | "failed" | "cancelled" | "expired";
  attempt: number;
  max_attempts: number;
  dedupe_key: string | null;
  ordering_key: string | null;
  tags: string[];
  dead_letter: boolean;
  payload: any;
  result: any;
  error: string | null;
  progress: any;
  worker: string | null;
  owner: string | null;
  created_at: string;
  due_at: string;
  expires_at: string | null;
  started_at: string | null;
  lease_until: string | null;
  finished_at: string | null;
  timeline: { event: string; attempt: number; at: string; due_at: string | null; worker: string | null; error: string | null }[];
}

/** Enqueues and reads tasks. */
export class Client {
  /** @param url of the server, with its path base if it has one: `https://example.org/queue` */
  constructor(url: string | URL, options?: ClientOptions);

  /** Enqueues a task. When it returns, the task is stored. */
  enqueue(queue: string, name: string, data?: unknown, options?: TaskOptions): Promise<Enqueued>;

  /** Enqueues tasks in transactions of up to 1,000; the answers are in the same order. */
  enqueueMany(tasks: Iterable<NewTask>): Promise<Enqueued[]>;

  /** A task with its timeline; null if there is none, or this key may not read it. */
  get(id: string): Promise<Task | null>;

  /**
   * Waits until a task has ended, whether it completed or not: look at its `status`. Throws a TaskQueueError with the code `timeout`
   * if it does not end within `timeout` seconds (60), and with the status 404 if there is no such task.
   */
  wait(id: string, options?: { timeout?: number; signal?: AbortSignal }): Promise<Task>;

  /**
   * Cancels a task that has not ended. A worker that runs it learns of it with its next heartbeat. Throws a TaskQueueError with the
   * status 404 if there is no such task, and 409 if it has ended in another way.
   */
  cancel(id: string): Promise<void>;
}

/** The server refused a request, did not answer, or a wait took too long. */
export class TaskQueueError extends Error {
  constructor(message: string, details?: { status?: number; code?: string | null; retryAfter?: number | null; cause?: unknown });
  /** HTTP status; 0 if there was no answer. */
  readonly status: number;
  /** Stable code such as `not_found`; null if there is none. */
  readonly code: string | null;
  /** Seconds that the server asks to wait; null if it did not say. */
  readonly retryAfter: number | null;
  /** Whether the same request may succeed later: no answer, 408, 429 or 5xx. */
  readonly isTransient: boolean;
}

/** Thrown by a handler: the task fails for good, whatever attempts are left. */
export class PermanentFailure extends Error {
  constructor(message: string, options?: { cause?: unknown });
}

/** Thrown by a handler: the task runs again after some seconds, at most 30 days, and no attempt is counted. */
export class Snooze extends Error {
  constructor(seconds: number);
  readonly seconds: number;
}

export type LogLevel = "debug" | "info" | "warning" | "error";

/** A task that a handler runs. */
export class TaskContext<T = any> {
  private constructor();
  readonly id: string;
  /** Greater than that of every earlier attempt: pass it to the systems you write to, as a fencing token. */
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly queue: string;
  readonly tier: number;
  readonly name: string | null;
  readonly priority: string;
  readonly tags: string[];
  readonly orderingKey: string | null;
  /** W3C trace context of the submission. */
  readonly traceparent: string | null;
  readonly tracestate: string | null;
  /** What the producer gave: the member `data` of the payload, or all of it if there is none. */
  readonly data: T;
  /** All that the producer's API stored. */
  readonly payload: any;
  /**
   * Aborted when the outcome does not count any more: the server said that the task was cancelled or is another attempt's, or the
   * worker's drain is over.
   */
  readonly signal: AbortSignal;
  /**
   * Whether the task is lost, or its lease could not be renewed in time: then another worker may run it, until a heartbeat
   * arrives and the server says whose it is. After an outage the server lets leases start over, so most tasks go on.
   */
  readonly leaseLost: boolean;

  /**
   * Shows a JSON value, at most 4,096 characters and 60 levels, to readers of the task. Sent soon; a newer value replaces one that
   * waits.
   */
  progress(value: unknown): void;

  /**
   * Logs a line with the task, which the next heartbeat or report carries. Between two heartbeats the newest 100 lines and 64 kB are
   * kept; a message is cut to 8 kB.
   */
  log(message: string, level?: LogLevel): void;
}

/** Where a worker writes what happens to it: `console` is one. */
export interface Logger {
  debug(text: string): void;
  info(text: string): void;
  warn(text: string): void;
  error(text: string, fault?: unknown): void;
}

/** Options of a worker. Times are in seconds. */
export interface WorkerOptions {
  /** Tasks that run at once: 1 to 500; default 2. */
  slots?: number;
  /** Further tasks that wait in the worker: 0 to 500; default 5. */
  prefetch?: number;
  /**
   * Time without a heartbeat after which the server gives a task to another worker: 1 to 86,400; default as set for the task or its
   * queue, else 15. Heartbeats come every third of it.
   */
  lease?: number;
  /** How long running tasks may continue when the worker stops; default 25. */
  drainTimeout?: number;
  /** What happens to a task whose name has no handler: it fails for good (the default), or is released for 10 s. */
  unknownNames?: "fail" | "release";
  /** Unique, at most 200 characters; default machine, process and a random text. */
  name?: string;
  /** Of your program, shown in the server's list of workers. */
  version?: string;
  /** By default warnings and errors go to the console. */
  logger?: Logger;
}

/** Claims tasks, runs them, renews their leases and reports their outcomes. */
export class Worker {
  /** @param queues 1 to 100, `name` or `name:tier`, most urgent first */
  constructor(client: Client, queues: string[], options?: WorkerOptions);
  readonly name: string;
  /** Whether the server has asked the worker to finish its tasks and claim no more. */
  readonly draining: boolean;

  /**
   * Sets the function that runs tasks of exactly this name; the last one for a name wins. Its value, or that of its promise, is the
   * task's result. What it throws fails the attempt, which is retried while attempts are left.
   */
  handle<T = any>(name: string, handler: (task: TaskContext<T>) => unknown): this;

  /**
   * Works until `stop` is called, or SIGTERM or SIGINT comes; a second one ends the drain. A worker that an operator drains finishes
   * its tasks and then waits for the stop.
   */
  run(options?: { /** False leaves signals to the program. */ signals?: boolean }): Promise<void>;

  /** Begins the drain, as SIGTERM does; `run` ends when it is over. A second call ends the drain. */
  stop(): void;
}
