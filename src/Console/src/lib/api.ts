import { signal } from '@preact/signals';
import { root } from './router';
import { parse, type Json } from '../json/lossless';

/** Why a request failed, in words for the page. */
export class ApiError extends Error {
    constructor(
        readonly status: number,
        readonly title: string,
        detail: string,
    ) {
        super(detail);
    }
}

/** The header that every change carries, which pages of other sites cannot send; the session names it. */
export const csrfHeader = signal('X-TaskQueue-Console');

/** Set when the server says that the caller must sign in (again). */
export const signedOut = signal(false);

/** Whether the last request reached the server. */
export const reachable = signal(true);

interface Options {
    body?: unknown;
    headers?: Record<string, string>;
    signal?: AbortSignal;
    raw?: string;
}

/** Sends a request; the answer's text. */
export async function call(method: string, path: string, options: Options = {}): Promise<string> {
    const headers: Record<string, string> = { Accept: 'application/json', ...options.headers };
    if (method !== 'GET') headers[csrfHeader.value] = '1';
    const body = options.raw ?? (options.body === undefined ? undefined : JSON.stringify(options.body));
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    let response: Response;
    let text: string;
    try {
        response = await fetch(root + path.replace(/^\//, ''), {
            method,
            headers,
            body: body ?? null,
            signal: options.signal ?? null,
            credentials: 'same-origin',
            cache: 'no-store',
        });
        text = await response.text();
    } catch (error) {
        if (options.signal?.aborted) throw error;
        reachable.value = false;
        throw new ApiError(0, 'The server does not answer', 'The request did not reach it. The console tries again by itself.');
    }
    reachable.value = true;
    if (response.ok) return text;
    if (response.status === 401) signedOut.value = true;
    throw failure(response.status, text);
}

export const get = async <T>(path: string, signal?: AbortSignal, headers?: Record<string, string>): Promise<T> =>
    JSON.parse(await call('GET', path, { ...(signal && { signal }), ...(headers && { headers }) })) as T;

/** An answer whose numbers keep their digits. */
export const getLossless = async (path: string, signal?: AbortSignal): Promise<Json> =>
    parse(await call('GET', path, signal ? { signal } : {}));

export async function send<T>(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<T> {
    const text = await call(method, path, { body, ...(headers && { headers }) });
    return (text ? JSON.parse(text) : null) as T;
}

const titles: Record<number, string> = {
    400: 'The request was not understood',
    401: 'You are not signed in',
    403: 'Your key does not permit this',
    404: 'It does not exist',
    409: 'It was changed meanwhile',
    413: 'It is too large',
    429: 'Too many requests',
    503: 'The server is busy',
};

/** The error of an answer: problem+json, or one of the foreign APIs' shapes. */
export function failure(status: number, text: string): ApiError {
    let title = titles[status] ?? `The server answered ${status}`;
    let detail = '';
    try {
        const body = JSON.parse(text) as Record<string, unknown>;
        const error = body['error'];
        if (typeof body['detail'] === 'string') detail = body['detail'];
        else if (typeof error === 'string') detail = error;
        else if (error && typeof error === 'object') detail = String((error as Record<string, unknown>)['message'] ?? '');
        if (!detail && typeof body['title'] === 'string') title = body['title'];
    } catch {
        detail = text.length < 200 && !text.startsWith('<') ? text : '';
    }
    return new ApiError(status, title, detail);
}

/** Encodes the parts of a path: api`/queues/${name}/pause`. */
export const path = (strings: TemplateStringsArray, ...values: (string | number)[]): string =>
    strings.reduce((all, s, i) => all + (i > 0 ? encodeURIComponent(values[i - 1]!) : '') + s, '');
