import { duration } from './format';

/** How long until a backlog is gone at the present rates: null when it does not shrink. */
export function drainSeconds(waiting: number, inPerSecond: number, outPerSecond: number): number | null {
    if (waiting <= 0) return 0;
    const net = outPerSecond - inPerSecond;
    return net > 0 ? waiting / net : null;
}

/** The estimate in words; unknown until there are rates. */
export function drainText(waiting: number, seconds: number | null | undefined, paused: boolean, known = true): string {
    if (waiting === 0) return 'empty';
    if (paused) return 'paused';
    if (!known) return '–';
    if (seconds == null) return 'never';
    return seconds > 30 * 86_400 ? 'over a month' : `~${duration(seconds)}`;
}

export interface Progress {
    total: number;
    done: number;
    perSecond: number | null;
    secondsLeft: number | null;
}

/** Progress of a batch since it started. */
export function progress(total: number, done: number, startedMs: number | null, nowMs: number): Progress {
    const elapsed = startedMs === null ? 0 : (nowMs - startedMs) / 1000;
    const perSecond = elapsed >= 1 && done > 0 ? done / elapsed : null;
    const left = Math.max(0, total - done);
    return { total, done, perSecond, secondsLeft: left === 0 ? 0 : perSecond ? left / perSecond : null };
}
