import { computed, signal } from '@preact/signals';
import { csrfHeader, get, send, signedOut } from './api';
import type { Session } from './types';

export const session = signal<Session | null>(null);

/** Whether the caller may use the pages at all. */
export const signedIn = computed(
    () => session.value !== null && !signedOut.value && (session.value.authentication === 'none' || session.value.caller !== null),
);

/** Whether the caller has a scope, in any queue: the server has the last word. */
export function may(scope: 'enqueue' | 'read' | 'admin'): boolean {
    const s = session.value;
    if (!s || s.authentication === 'none') return true;
    return (
        s.caller?.scopes.some((text) => {
            const word = text.split(':')[0]!.toLowerCase();
            return word === scope || word === 'admin' || word === 'all';
        }) ?? false
    );
}

/** Whether an action may be shown: not in read-only mode. */
export const canChange = (scope: 'enqueue' | 'admin' = 'enqueue'): boolean => !session.value?.read_only && may(scope);

/** What only those see who see all tenants. */
export const isOperator = (): boolean => session.value?.authentication === 'none' || (session.value?.caller?.operator ?? false);

export type Feature =
    'search' | 'workers' | 'statistics' | 'failures' | 'operations' | 'why' | 'logs' | 'batches' | 'schedules' | 'resend' | 'lineage';

/** The routes that this server has: an older one lacks some, and their pages are left out. */
export const features = signal<ReadonlySet<Feature>>(new Set());
export const has = (feature: Feature): boolean => features.value.has(feature);

interface Document {
    paths: Record<string, Record<string, { parameters?: { name: string }[] }>>;
}

/** Reads the features from the routes that the server publishes. */
export function featuresOf(document: Document): Set<Feature> {
    const found = new Set<Feature>();
    // The names of a path's parameters do not matter.
    const plain = (path: string): string => path.replace(/\{[^}]*\}/g, '{}');
    const routes = new Map(Object.entries(document.paths).map(([path, methods]) => [plain(path), methods]));
    const route = (feature: Feature, path: string, method: string): void => {
        if (routes.get(plain(path))?.[method]) found.add(feature);
    };
    if (document.paths['/tasks']?.['get']?.parameters?.some((p) => p.name === 'cursor' || p.name === 'queue')) found.add('search');
    route('workers', '/workers', 'get');
    route('statistics', '/statistics', 'get');
    route('failures', '/failures', 'get');
    route('operations', '/operations', 'post');
    route('why', '/tasks/{id}/why', 'get');
    route('logs', '/tasks/{id}/logs', 'get');
    route('batches', '/batches', 'get');
    route('schedules', '/schedules', 'get');
    route('resend', '/tasks/{id}/callbacks/{cb}/resend', 'post');
    route('lineage', '/tasks/{id}/lineage', 'get');
    return found;
}

/** Loads the session, and once per version what the server can do; again later, because it may have ended. */
export async function load(): Promise<void> {
    await accept(await get<Session>('/console/session'));
}

async function detect(version: string): Promise<void> {
    const key = `features ${version}`;
    const stored = sessionStorage.getItem(key);
    if (stored) {
        features.value = new Set(JSON.parse(stored) as Feature[]);
        return;
    }
    try {
        features.value = featuresOf(await get<Document>('/openapi/v1.json'));
        sessionStorage.setItem(key, JSON.stringify([...features.value]));
    } catch {
        features.value = new Set();
    }
}

export async function signIn(key: string): Promise<void> {
    await accept(await send<Session>('POST', '/console/session', { key }));
}

export async function signOut(): Promise<void> {
    await send('DELETE', '/console/session');
    location.reload();
}

/** The pages are shown when it is known which there are. */
async function accept(value: Session): Promise<void> {
    csrfHeader.value = value.csrf_header;
    if (value.authentication === 'none' || value.caller) await detect(value.version);
    signedOut.value = false;
    session.value = value;
}
