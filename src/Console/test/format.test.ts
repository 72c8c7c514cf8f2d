import { describe, expect, it } from 'vitest';
import { ago, bytes, count, duration, plural, rate, seconds, short, time } from '../src/lib/format';
import { drainSeconds, drainText, progress } from '../src/lib/estimate';
import { commands, quote } from '../src/lib/commands';
import { inWords } from '../src/lib/cron';

describe('format', () => {
    it('says durations', () => {
        expect([0, 0.0042, 0.95, 4.24, 59, 61, 120, 3599, 7500, 90_000, 200_000].map(duration)).toEqual([
            '0 s',
            '4 ms',
            '950 ms',
            '4.2 s',
            '59 s',
            '1 m 1 s',
            '2 m',
            '59 m 59 s',
            '2 h 5 m',
            '1 d 1 h',
            '2 d 8 h',
        ]);
        expect([null, undefined, Infinity, -5].map(duration)).toEqual(['–', '–', '–', '−5 s']);
    });

    it('says counts, rates and sizes', () => {
        expect([0, 999, 1234, 99_999, 123_456, 4_560_000, null].map(count)).toEqual([
            '0',
            '999',
            '1,234',
            '99,999',
            '123 k',
            '4.6 M',
            '–',
        ]);
        expect([0, 0.001, 0.254, 3.14, 1234, null].map(rate)).toEqual(['0', '<0.01', '0.25', '3.1', '1,234', '–']);
        expect([12, 1500, 2_000_000].map(bytes)).toEqual(['12 B', '1.5 kB', '2 MB']);
        expect([plural(1, 'task'), plural(2, 'task'), plural(0, 'query', 'queries')]).toEqual(['1 task', '2 tasks', '0 queries']);
    });

    it('says times', () => {
        const now = Date.parse('2026-03-01T12:00:00Z');
        expect([-5, -200, -7200, -400_000, 0, 90].map((s) => ago(new Date(now + s * 1000).toISOString(), now))).toEqual([
            '5 s ago',
            '3 m ago',
            '2 h ago',
            '5 d ago',
            'now',
            'in 2 m',
        ]);
        expect(time('2026-03-01T12:00:05.123Z', true)).toMatch(/^2026-03-01 \d\d:00:05\.123$/);
        expect([time(null), time('soon'), ago(null, now)]).toEqual(['–', 'soon', '–']);
        expect([seconds('2026-03-01T12:00:00Z', '2026-03-01T12:00:05Z'), seconds(null, now)]).toEqual([5, null]);
        expect([short('01a20143-9cd1-4000-b914-6cd1c8630a23'), short('cb_1')]).toEqual(['01a20143…0a23', 'cb_1']);
    });
});

describe('estimates', () => {
    it('know when a backlog is gone', () => {
        expect([drainSeconds(100, 5, 15), drainSeconds(100, 5, 5), drainSeconds(100, 9, 5), drainSeconds(0, 9, 5)]).toEqual([
            10,
            null,
            null,
            0,
        ]);
        expect([
            drainText(100, 10, false),
            drainText(100, null, false),
            drainText(0, null, false),
            drainText(9, 3, true),
            drainText(9, 9e9, false),
            drainText(9, null, false, false),
        ]).toEqual(['~10 s', 'never', 'empty', 'paused', 'over a month', '–']);
    });

    it('know when a batch is done', () => {
        expect(progress(100, 25, 0, 50_000)).toEqual({ total: 100, done: 25, perSecond: 0.5, secondsLeft: 150 });
        expect(progress(100, 0, 0, 50_000).secondsLeft).toBeNull();
        expect(progress(100, 100, null, 50_000)).toEqual({ total: 100, done: 100, perSecond: null, secondsLeft: 0 });
    });
});

describe('commands', () => {
    it('are quoted for a shell', () => {
        expect(quote("it's; rm -rf $HOME")).toBe(`'it'\\''s; rm -rf $HOME'`);
        expect(quote('mails:1')).toBe('mails:1');
    });

    it('never contain a key', () => {
        const { curl, cli } = commands('POST', 'http://host/queues/a b/pause', ['pause', 'a b'], { a: "'" });
        expect(curl).toBe(
            `curl -X POST 'http://host/queues/a b/pause' -H "Authorization: Bearer $TASKQUEUE_KEY"` +
                ` -H 'Content-Type: application/json' -d '{"a":"'\\''"}'`,
        );
        expect(cli).toBe("taskqueue pause 'a b'");
    });
});

describe('cron', () => {
    it('is said in words', () => {
        expect(inWords('0 8 * * 1-5')).toBe('At 08:00, Monday through Friday');
        expect(inWords('@hourly')).toBe('Every hour');
        expect(inWords('not cron')).toBe('not cron');
    });
});
