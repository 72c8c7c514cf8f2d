import { get } from './api';
import { request, type Filters } from './filters';
import { has } from './session';
import type { SearchPage } from './types';

/** How long a search goes on by itself while it finds nothing, in milliseconds. */
const patience = 2000;

/**
 * One page of the search; of a server without search, the newest tasks of one state. The server looks at a few thousand tasks for a page,
 * which may therefore be empty although there are more: then the next ones are read too, for a while.
 */
export async function search(filters: Filters, cursor: string | null, signal?: AbortSignal, limit = 50): Promise<SearchPage> {
    if (has('search')) {
        const query = request(filters);
        query.set('limit', String(limit));
        const until = Date.now() + patience;
        for (;;) {
            if (cursor) query.set('cursor', cursor);
            const page = await get<SearchPage>(`/tasks?${query}`, signal);
            if (page.tasks.length > 0 || page.next_cursor === null || Date.now() >= until) return page;
            cursor = page.next_cursor;
        }
    }
    interface OldRow {
        id: string;
        status: string;
        created_at: number;
        processed_at: number | null;
    }
    const state = filters.state[0];
    const old = await get<{ tasks: OldRow[]; count: number }>(`/tasks${state ? `?status=${encodeURIComponent(state)}` : ''}`, signal);
    const iso = (unix: number | null): string | null => (unix === null ? null : new Date(unix * 1000).toISOString());
    return {
        tasks: old.tasks
            .slice(0, 200)
            .map((t) => ({
                id: t.id,
                queue: '',
                tier: 0,
                name: 'task',
                priority: '',
                state: t.status,
                attempt: 0,
                max_attempts: 0,
                tags: [],
                ordering_key: null,
                worker: null,
                owner: null,
                batch_id: null,
                schedule: null,
                error: null,
                progress: null,
                created_at: iso(t.created_at)!,
                due_at: null,
                started_at: null,
                finished_at: iso(t.processed_at),
            })),
        next_cursor: null,
        total: { count: old.count, exact: true },
    };
}
