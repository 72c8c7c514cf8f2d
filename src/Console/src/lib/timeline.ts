import type { TaskStep } from './types';

/** A stretch of a task's life: what it did, from when to when. */
export interface Stretch {
    kind: 'waited' | 'ran' | 'delayed';
    attempt: number;
    from: number;
    /** Null while it lasts. */
    to: number | null;
    /** Width in per cent of the whole. */
    share: number;
}

export interface Attempt {
    attempt: number;
    started: string;
    ended: string | null;
    worker: string | null;
    outcome: string;
    error: string | null;
}

const starts = new Set(['started']);
const ends = new Set(['completed', 'failed', 'cancelled', 'expired', 'dead']);

/** The waits and runs between the events of a timeline. */
export function stretches(steps: readonly TaskStep[], nowMs: number): Stretch[] {
    const sorted = [...steps].sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
    const result: Stretch[] = [];
    for (const [i, step] of sorted.entries()) {
        const next = sorted[i + 1];
        if (ends.has(step.event) && !next) break;
        const from = Date.parse(step.at);
        const to = next ? Date.parse(next.at) : null;
        if (starts.has(step.event)) push(result, { kind: 'ran', attempt: step.attempt, from, to, share: 0 });
        else {
            const due = step.due_at ? Date.parse(step.due_at) : from;
            const end = to ?? nowMs;
            if (due > from) push(result, { kind: 'delayed', attempt: step.attempt, from, to: Math.min(due, end), share: 0 });
            if (due < end) push(result, { kind: 'waited', attempt: step.attempt, from: Math.max(due, from), to, share: 0 });
        }
    }
    const sizes = result.map((s) => Math.max(0, (s.to ?? nowMs) - s.from));
    const total = sizes.reduce((a, b) => a + b, 0);
    // Short stretches stay visible.
    const shares = sizes.map((size) => Math.max(2, total > 0 ? (size / total) * 100 : 100));
    const sum = shares.reduce((a, b) => a + b, 0);
    return result.map((s, i) => ({ ...s, share: (shares[i]! / sum) * 100 }));
}

function push(list: Stretch[], next: Stretch): void {
    const last = list.at(-1);
    if (last && last.kind === next.kind && last.attempt === next.attempt) last.to = next.to;
    else list.push(next);
}

/** The attempts of a timeline, newest first. */
export function attempts(steps: readonly TaskStep[]): Attempt[] {
    const sorted = [...steps].sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
    const result: Attempt[] = [];
    for (const [i, step] of sorted.entries()) {
        if (!starts.has(step.event)) continue;
        const end = sorted.slice(i + 1).find((s) => s.event !== 'progressed');
        result.push({
            attempt: step.attempt,
            started: step.at,
            ended: end?.at ?? null,
            worker: step.worker ?? end?.worker ?? null,
            outcome: end?.event ?? 'running',
            error: end?.error ?? null,
        });
    }
    return result.reverse();
}
