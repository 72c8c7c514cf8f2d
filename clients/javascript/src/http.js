import { TaskQueueError } from "./errors.js";

const MOST_ERROR_BYTES = 64 * 1024;

/** Requests to one server, over the connections that `fetch` keeps. */
export class Http {
  #base;
  #headers;
  #fetch;

  /** @param {string | URL} url @param {string | null | undefined} key @param {typeof fetch} [send] */
  constructor(url, key, send) {
    /** @type {URL | undefined} */
    let parsed;
    try {
      parsed = new URL(url);
    } catch {
      // reported below
    }
    if (!parsed || !/^https?:$/.test(parsed.protocol) || parsed.search || parsed.hash || parsed.username || parsed.password) {
      const seen = parsed?.host ? `${parsed.protocol}//${parsed.host} with more` : "a text without a host"; // the rest may be secret
      throw new TypeError("the URL of the server must be like http://localhost:8080 or https://host/base, without user, password, query "
        + `and fragment, not ${seen}`);
    }
    if (key !== undefined && key !== null && !/^[!-~]+$/.test(key)) throw new TypeError("the key must be printable ASCII without spaces");
    this.#base = parsed.origin + parsed.pathname.replace(/\/+$/, "");
    this.#headers = { Accept: "application/json", ...(key ? { Authorization: `Bearer ${key}` } : {}) };
    this.#fetch = send ?? fetch;
  }

  /**
   * The JSON of the answer, an object with the members that it needs; undefined if it is empty and needs none.
   * @param {string} method @param {string} path @param {string} [body] JSON
   * @param {{ needs?: string[], timeout?: number, signal?: AbortSignal }} [options] seconds
   * @returns {Promise<any>}
   */
  async send(method, path, body, { needs = [], timeout = 60, signal } = {}) {
    const stop = new AbortController();
    const abort = () => stop.abort();
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      abort();
    }, timeout * 1000);
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort, { once: true });
    let text;
    try {
      const response = await this.#fetch(this.#base + path, {
        method,
        body,
        headers: body === undefined ? this.#headers : { ...this.#headers, "Content-Type": "application/json" },
        redirect: "manual",
        signal: stop.signal,
      });
      if (!response.ok) throw await errorOf(response);
      text = await response.text();
    } catch (fault) {
      if (fault instanceof TaskQueueError) throw fault;
      const why = late ? "no answer in time" : signal?.aborted ? "aborted" : reasonOf(fault);
      throw new TaskQueueError(`${this.#base} cannot be reached: ${why}`, { cause: fault });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    }
    if (text === "" && needs.length === 0) return undefined;
    let answer;
    try {
      answer = JSON.parse(text);
    } catch (fault) {
      throw new TaskQueueError(`${this.#base} answered ${path} with something that is not JSON`, { cause: fault });
    }
    if (typeof answer !== "object" || answer === null || !needs.every((name) => name in answer))
      throw new TaskQueueError(`${this.#base} answered ${path} with an unexpected response: is it TaskQueue?`);
    return answer;
  }
}

/** @param {Response} response */
async function errorOf(response) {
  const bytes = [];
  let size = 0;
  for await (const chunk of /** @type {any} */ (response.body ?? [])) {
    bytes.push(chunk);
    size += chunk.length;
    if (size > MOST_ERROR_BYTES) break; // closes the connection
  }
  /** @type {any} */
  let body;
  try {
    body = JSON.parse(Buffer.concat(bytes).toString());
  } catch {
    // of a proxy
  }
  const message = [body?.detail, body?.error, body?.title].find((text) => typeof text === "string")
    ?? `the server answered ${response.status}`;
  const wait = response.headers.get("Retry-After")?.trim() ?? "";
  return new TaskQueueError(message, {
    status: response.status,
    code: typeof body?.code === "string" ? body.code : null,
    retryAfter: /^\d{1,9}$/.test(wait) ? Number(wait) : null,
  });
}

/** `fetch failed` says nothing: its cause does. @param {any} fault */
function reasonOf(fault) {
  return fault?.cause?.message || fault?.cause?.code || fault?.message || String(fault);
}
