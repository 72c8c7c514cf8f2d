const MAX_SNOOZE = 30 * 86_400;

/** The server refused a request, did not answer, or a wait took too long. */
export class TaskQueueError extends Error {
  /**
   * @param {string} message
   * @param {{ status?: number, code?: string | null, retryAfter?: number | null, cause?: unknown }} [details]
   */
  constructor(message, { status = 0, code = null, retryAfter = null, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "TaskQueueError";
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }

  /** Whether the same request may succeed later: no answer, 408, 429 or 5xx. */
  get isTransient() {
    return [0, 408, 429].includes(this.status) || this.status >= 500;
  }
}

/** Thrown by a handler: the task fails for good, whatever attempts are left. */
export class PermanentFailure extends Error {
  /** @param {string} message @param {{ cause?: unknown }} [options] */
  constructor(message, options) {
    super(message, options);
    this.name = "PermanentFailure";
  }
}

/** Thrown by a handler: the task runs again after some seconds, at most 30 days, and no attempt is counted. */
export class Snooze extends Error {
  /** @param {number} seconds */
  constructor(seconds) {
    if (typeof seconds !== "number") throw new TypeError("the seconds of a snooze are a number");
    if (!(seconds >= 0 && seconds <= MAX_SNOOZE)) throw new RangeError(`a task can be snoozed for 0 to ${MAX_SNOOZE} seconds`);
    super(`snoozed for ${seconds} s`);
    this.name = "Snooze";
    this.seconds = seconds;
  }
}

/**
 * Whether the server does not accept an outcome, a log line or a progress.
 * @param {unknown} fault @returns {fault is TaskQueueError}
 */
export function isRefused(fault) {
  return fault instanceof TaskQueueError && [400, 413, 422].includes(fault.status);
}
