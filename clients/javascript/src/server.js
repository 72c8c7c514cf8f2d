import { TaskQueueError } from "./errors.js";

export const LONGEST_POLL = 20;
const HEARTBEAT_TIMEOUT = 5;
const GOODBYE_TIMEOUT = 1;

/** The routes of workers. An outage is one line when it begins and one when it ends. */
export class Server {
  #http;
  #logger;
  #obey;
  #isAway = false;

  /**
   * @param {import("./client.js").Client} client @param {import("../index.js").Logger} logger
   * @param {() => void} obey called whenever an answer asks the worker to drain
   */
  constructor(client, logger, obey) {
    this.#http = client.http;
    this.#logger = logger;
    this.#obey = obey;
  }

  /** @param {Record<string, any>} body @param {AbortSignal} signal @returns {Promise<any[]>} */
  async claim(body, signal) {
    return this.#send("/workers/claim", JSON.stringify(body), { timeout: LONGEST_POLL + 20, signal });
  }

  /** @param {string[]} entries @returns {Promise<any[]>} */
  async heartbeat(entries) {
    return this.#send("/workers/heartbeat", bodyOf(entries), { timeout: HEARTBEAT_TIMEOUT });
  }

  /**
   * Why each outcome was refused, or undefined: the others have arrived.
   * @param {string[]} entries @param {AbortSignal} signal @returns {Promise<(TaskQueueError | undefined)[]>}
   */
  async report(entries, signal) {
    const answers = await this.#send("/workers/report", bodyOf(entries), { signal });
    return answers.map((/** @type {{ code: string, error?: string }} */ { code, error }) => (code !== "invalid" ? undefined
      : new TaskQueueError(error ?? "an outcome is invalid", { status: 400, code: "invalid_request" })));
  }

  /** @param {string} worker */
  async sayGoodbye(worker) {
    try {
      await this.#http.send("POST", "/workers/stopped", JSON.stringify({ worker }), { timeout: GOODBYE_TIMEOUT });
    } catch (fault) {
      if (!(fault instanceof TaskQueueError)) throw fault;
      this.#logger.debug(`the server was not told that the worker stops: ${fault.message}`);
    }
  }

  /** @param {string} why */
  failed(why) {
    if (!this.#isAway) this.#logger.warn(`the server is away or overloaded, trying again: ${why}`);
    this.#isAway = true;
  }

  /** @param {string} path @param {string} body @param {{ timeout?: number, signal?: AbortSignal }} limits */
  async #send(path, body, limits) {
    const answer = await this.#http.send("POST", path, body, { needs: ["tasks"], ...limits });
    if (this.#isAway) this.#logger.warn("the server is back");
    this.#isAway = false;
    if (answer.drain) this.#obey();
    return answer.tasks;
  }
}

/** @param {string[]} entries */
function bodyOf(entries) {
  return `{"tasks":[${entries.join(",")}]}`;
}
