import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { ApiError } from './api';
import { epoch } from './live';

export interface Loaded<T> {
    data: T | null;
    error: ApiError | null;
    /** Whether the data belongs to an earlier key. */
    stale: boolean;
    reload: () => void;
}

const shortest = 1000;

/**
 * Reads something and keeps it current: again every so often while the tab is visible, never more than once a second, and
 * never while the last request runs. What was read stays when a later request fails.
 */
export function useLoad<T>(key: string, load: (signal: AbortSignal) => Promise<T>, everyMs: number | null = 5000): Loaded<T> {
    const [state, set] = useState<{ key: string; data: T | null; error: ApiError | null }>({ key: '', data: null, error: null });
    const loader = useRef(load);
    loader.current = load;
    const again = useRef<() => void>(() => {});
    const generation = epoch.value;
    const every = useRef(everyMs);
    every.current = everyMs;

    useEffect(() => {
        const abort = new AbortController();
        let timer: ReturnType<typeof setTimeout> | undefined;
        let running = false;
        let wanted = false;
        let last = 0;
        const plan = (ms: number): void => {
            clearTimeout(timer);
            timer = setTimeout(() => void run(), Math.max(ms, last + shortest - Date.now(), 0));
        };
        const run = async (): Promise<void> => {
            if (running) {
                wanted = true;
                return;
            }
            if (document.hidden && last > 0) return;
            running = true;
            wanted = false;
            last = Date.now();
            try {
                const data = await loader.current(abort.signal);
                if (!abort.signal.aborted) set({ key, data, error: null });
            } catch (error) {
                if (!abort.signal.aborted) set((s) => ({ key, data: s.key === key ? s.data : null, error: error as ApiError }));
            }
            running = false;
            if (abort.signal.aborted) return;
            if (wanted) plan(0);
            else if (every.current !== null) plan(Math.max(shortest, every.current));
        };
        const visible = (): void => {
            if (!document.hidden && every.current !== null) plan(0);
        };
        again.current = () => (running ? (wanted = true) : plan(0));
        document.addEventListener('visibilitychange', visible);
        void run();
        return () => {
            abort.abort();
            clearTimeout(timer);
            document.removeEventListener('visibilitychange', visible);
        };
    }, [key, generation]);

    useEffect(() => {
        if (everyMs !== null) again.current();
    }, [everyMs === null]);

    const reload = useCallback(() => again.current(), []);
    return { data: state.data, error: state.error, stale: state.key !== key, reload };
}
