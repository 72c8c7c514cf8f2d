import { describe, expect, it, vi } from 'vitest';
import { failure, path } from '../src/lib/api';
import { search } from '../src/lib/search';
import { features, featuresOf } from '../src/lib/session';
import { toForm, toRequest } from '../src/lib/settings';
import { attempts, stretches } from '../src/lib/timeline';
import type { Queue, TaskStep } from '../src/lib/types';

const step = (event: string, second: number, attempt = 0, more: Partial<TaskStep> = {}): TaskStep => ({
    event,
    attempt,
    at: new Date(second * 1000).toISOString(),
    due_at: null,
    worker: null,
    error: null,
    ...more,
});
const at = (second: number): string => new Date(second * 1000).toISOString();

describe('a timeline', () => {
    const steps = [
        step('submitted', 0, 0, { due_at: at(10) }),
        step('started', 30, 1, { worker: 'w' }),
        step('retrying', 40, 1, { due_at: at(60), error: 'no' }),
        step('started', 60, 2),
        step('completed', 100, 2),
    ];

    it('is made of waits and runs', () => {
        expect(stretches(steps, 0).map((s) => [s.kind, s.from / 1000, s.to! / 1000])).toEqual([
            ['delayed', 0, 10],
            ['waited', 10, 30],
            ['ran', 30, 40],
            ['delayed', 40, 60],
            ['ran', 60, 100],
        ]);
        expect(stretches(steps, 0).reduce((a, s) => a + s.share, 0)).toBeCloseTo(100);
    });

    it('goes on until now', () => {
        expect(stretches(steps.slice(0, 2), 50_000).at(-1)).toMatchObject({ kind: 'ran', to: null });
        expect(stretches([], 50_000)).toEqual([]);
    });

    it('has attempts', () => {
        expect(attempts(steps)).toEqual([
            { attempt: 2, started: at(60), ended: at(100), worker: null, outcome: 'completed', error: null },
            { attempt: 1, started: at(30), ended: at(40), worker: 'w', outcome: 'retrying', error: 'no' },
        ]);
    });
});

describe('the API', () => {
    it('encodes the parts of a path', () => expect(path`/queues/${'a/b c'}/pause`).toBe('/queues/a%2Fb%20c/pause'));

    it('says why a request failed, in every shape of error', () => {
        expect(failure(400, '{"title":"Bad Request","detail":"queue: too long"}').message).toBe('queue: too long');
        expect(failure(404, '{"error":"no such task"}').message).toBe('no such task');
        expect(failure(429, '{"error":{"message":"slow down"}}').message).toBe('slow down');
        expect(failure(502, '<html>').title).toBe('The server answered 502');
    });

    it('finds the features of a server, whatever its parameters are called', () => {
        const features = featuresOf({
            paths: {
                '/tasks': { get: { parameters: [{ name: 'queue' }] } },
                '/workers': { get: {} },
                '/tasks/{task}/why': { get: {} },
                '/tasks/{id}/callbacks/{callback}/resend': { post: {} },
                '/failures': { post: {} },
            },
        });
        expect([...features].sort()).toEqual(['resend', 'search', 'why', 'workers']);
        expect(featuresOf({ paths: { '/tasks': { get: { parameters: [{ name: 'status' }] } } } }).size).toBe(0);
    });
});

describe('settings', () => {
    const queue = {
        name: 'mails',
        delivery: 'pull',
        version: 3,
        created_at: at(0),
        updated_at: at(0),
        description: '',
        lease_seconds: null,
        expire_after_seconds: null,
        max_attempts: 4,
        retry: { intervals: [1, 10], first: null, factor: null, cap: null, jitter: null },
        max_running: 0,
        rate: null,
        paused: true,
        dead_letters: { enabled: true, max_size: 9, retention_seconds: null },
        keep_finished_seconds: null,
        events: 'all',
        tiers: null,
        submitter_token: false,
        counts: null,
    } as unknown as Queue;

    it('keep what the form does not show, and the version', () => {
        expect(toRequest(queue, toForm(queue))).toMatchObject({
            paused: true,
            retry: queue.retry,
            dead_letters: { enabled: true, max_size: 9 },
            expected_version: 3,
            max_running: 0,
            rate: null,
        });
        expect(toRequest(queue, toForm(queue))).not.toHaveProperty('counts');
    });

    it('are read from text', () => {
        const form = { ...toForm(queue), max_running: '8', rate_tokens: '100', intervals: '1, 5 ,60' };
        expect(toRequest(queue, form)).toMatchObject({
            max_running: 8,
            rate: { tokens: 100, interval_seconds: 1 },
            retry: { intervals: [1, 5, 60] },
        });
        expect(() => toRequest(queue, { ...form, max_running: 'many' })).toThrow('concurrency limit must be a number');
    });
});

describe('a search', () => {
    it('goes on while its pages are empty, until it finds something or ends', async () => {
        features.value = new Set(['search'] as const);
        const total = { count: 0, exact: false };
        const pages = ['a', 'b', null].map((next_cursor) => ({ tasks: [], next_cursor, total }));
        const asked: string[] = [];
        vi.stubGlobal('fetch', (url: string) => {
            asked.push(url);
            return Promise.resolve(new Response(JSON.stringify(pages[asked.length - 1])));
        });
        const page = await search({ state: [], tag: [], name: 'rare' }, null);
        vi.unstubAllGlobals();
        expect(page.next_cursor).toBeNull();
        expect(asked.map((url) => new URL(url, 'http://x').searchParams.get('cursor'))).toEqual([null, 'a', 'b']);
    });
});
