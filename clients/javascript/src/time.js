const FIRST = 0.2;
const MOST = 30; // seconds, whatever the server asks for

/** Doubles up to a maximum; jitter shortens each pause by up to half. */
export class Backoff {
  #next = FIRST;
  #longest;

  constructor(longest = 10) {
    this.#longest = longest;
  }

  reset() {
    this.#next = FIRST;
  }

  /** Seconds to wait, at least as long as the server asked for, but at most 30 s. @param {number | null} [atLeast] */
  pause(atLeast) {
    const wait = this.#next * (1 - Math.random() / 2);
    this.#next = Math.min(this.#next * 2, this.#longest);
    return Math.min(Math.max(wait, atLeast ?? 0), MOST);
  }
}

/** Seconds that only go forward. */
export const now = () => performance.now() / 1000;

/**
 * Waits; ends early, without an error, when the signal is aborted.
 * @param {number} seconds @param {AbortSignal} [signal] @returns {Promise<void>}
 */
export function sleep(seconds, signal) {
  return new Promise((done) => {
    if (signal?.aborted) return done();
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      done();
    };
    const timer = setTimeout(end, Math.min(seconds * 1000, 0x7fffffff));
    signal?.addEventListener("abort", end, { once: true });
  });
}

/** Waits for a promise, but not for ever. @param {Promise<unknown>} promise @param {number} seconds */
export async function within(promise, seconds) {
  const over = new AbortController();
  await Promise.race([promise, sleep(seconds, over.signal)]);
  over.abort(); // a timer would keep the process
}

/** Wakes whoever waits; a wake without a waiter is remembered. */
export class Wakeup {
  #woken = false;
  /** @type {(() => void) | null} */
  #waiter = null;

  wake() {
    this.#woken = true;
    this.#waiter?.();
  }

  /** One waiter at a time. @param {number} [seconds] @returns {Promise<void>} */
  wait(seconds) {
    return new Promise((done) => {
      /** @type {ReturnType<typeof setTimeout> | undefined} */
      let timer;
      const end = () => {
        clearTimeout(timer);
        this.#waiter = null;
        this.#woken = false;
        done();
      };
      if (this.#woken) return end();
      this.#waiter = end;
      if (seconds !== undefined) timer = setTimeout(end, Math.min(Math.max(seconds, 0) * 1000, 0x7fffffff));
    });
  }
}
