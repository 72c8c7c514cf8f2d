import { signal } from '@preact/signals';
import { root } from './router';
import { reachable } from './api';
import { load } from './session';
import type { Overview } from './types';

/** The newest overview: one stream for all pages. */
export const overview = signal<Overview | null>(null);
export const live = signal<'connecting' | 'live' | 'paused' | 'lost'>('connecting');

/** Counts reconnections: whatever is shown is read again. */
export const epoch = signal(0);

/** The time, once a second while the tab is visible: ages and estimates count on. */
export const now = signal(Date.now());

let source: EventSource | null = null;
let retry = 0;
let timer: ReturnType<typeof setTimeout> | undefined;

/** Opens the stream; a hidden tab closes it. */
export function watch(): () => void {
    const toggle = (): void => (document.hidden ? pause() : open());
    document.addEventListener('visibilitychange', toggle);
    const clock = setInterval(() => {
        if (!document.hidden) now.value = Date.now();
    }, 1000);
    toggle();
    return () => {
        document.removeEventListener('visibilitychange', toggle);
        clearInterval(clock);
        pause();
    };
}

function pause(): void {
    clearTimeout(timer);
    source?.close();
    source = null;
    live.value = 'paused';
}

function open(): void {
    if (source) return;
    now.value = Date.now();
    const opened = (source = new EventSource(`${root}console/events`));
    opened.addEventListener('open', () => {
        if (live.value === 'lost' || !reachable.value) epoch.value++;
        reachable.value = true;
        live.value = 'live';
        retry = 0;
    });
    opened.addEventListener('overview', (event) => {
        overview.value = JSON.parse((event as MessageEvent<string>).data) as Overview;
        live.value = 'live';
    });
    opened.addEventListener('error', () => {
        live.value = 'lost';
        // The stream also ends with the session. Without an answer the server is away.
        load().catch(() => undefined);
        // The browser's own tries end when the server refuses one, as a proxy does while the server starts.
        opened.close();
        source = null;
        clearTimeout(timer);
        timer = setTimeout(
            () => {
                if (!document.hidden) open();
            },
            Math.min(15_000, 1000 * 2 ** retry++),
        );
    });
}
