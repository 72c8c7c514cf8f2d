import type { Queue } from './types';

/** A queue's settings as the form shows them: text, empty for the default. */
export interface SettingsForm {
    description: string;
    max_running: string;
    rate_tokens: string;
    rate_interval: string;
    lease_seconds: string;
    max_attempts: string;
    expire_after_seconds: string;
    keep_finished_seconds: string;
    intervals: string;
    dead_letters: boolean;
    events: string;
    max_crashes: string;
}

const text = (value: number | null | undefined): string => (value == null ? '' : String(value));

export const toForm = (q: Queue): SettingsForm => ({
    description: q.description,
    max_running: q.max_running ? text(q.max_running) : '',
    rate_tokens: text(q.rate?.tokens),
    rate_interval: text(q.rate?.interval_seconds),
    lease_seconds: text(q.lease_seconds),
    max_attempts: text(q.max_attempts),
    expire_after_seconds: text(q.expire_after_seconds),
    keep_finished_seconds: text(q.keep_finished_seconds),
    intervals: q.retry?.intervals?.join(', ') ?? '',
    dead_letters: q.dead_letters.enabled ?? true,
    events: q.events,
    max_crashes: text((q as { max_crashes?: number | null }).max_crashes),
});

const number = (value: string, name: string): number | null => {
    if (!value.trim()) return null;
    const n = Number(value);
    if (!Number.isFinite(n)) throw new Error(`${name} must be a number.`);
    return n;
};

/** The request that replaces all settings: what the form does not show stays as it is, and the version must be the one shown. */
export function toRequest(q: Queue, form: SettingsForm): Record<string, unknown> {
    const { counts: _counts, ...settings } = q as Queue & Record<string, unknown>;
    const tokens = number(form.rate_tokens, 'The rate');
    const intervals = form.intervals
        .split(',')
        .map((v) => v.trim())
        .filter(Boolean)
        .map((v) => number(v, 'A retry delay')!);
    const before = q.retry?.intervals?.join(', ') ?? '';
    const crashes = number(form.max_crashes, 'The number of lost workers');
    return {
        ...settings,
        description: form.description,
        max_running: number(form.max_running, 'The concurrency limit') ?? 0,
        rate: tokens === null ? null : { tokens, interval_seconds: number(form.rate_interval, 'The interval') ?? 1 },
        lease_seconds: number(form.lease_seconds, 'The lease'),
        max_attempts: number(form.max_attempts, 'The number of attempts'),
        expire_after_seconds: number(form.expire_after_seconds, 'The expiry'),
        keep_finished_seconds: number(form.keep_finished_seconds, 'The retention'),
        retry: form.intervals.trim() === before ? q.retry : intervals.length ? { intervals } : null,
        dead_letters: { ...q.dead_letters, enabled: form.dead_letters },
        events: form.events,
        ...('max_crashes' in q && { max_crashes: crashes }),
        ...(q.created_at && { expected_version: q.version }),
    };
}
