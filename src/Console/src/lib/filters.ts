/** Filters of the search, as they are in the address and in the request. */
export const single = [
    'queue',
    'name',
    'ordering_key',
    'worker',
    'batch',
    'schedule',
    'owner',
    'error',
    'created_from',
    'created_to',
    'finished_from',
    'finished_to',
    'id',
] as const;
export const several = ['state', 'tag'] as const;
export const states = ['pending', 'running', 'retrying', 'completed', 'failed', 'cancelled', 'expired'];
export type Single = (typeof single)[number];
export type Filters = { [name in Single]?: string } & { state: string[]; tag: string[] };

export const labels: Record<Single | 'state' | 'tag', string> = {
    queue: 'Queue',
    name: 'Name',
    state: 'State',
    tag: 'Tag',
    ordering_key: 'Ordering key',
    worker: 'Worker',
    batch: 'Batch',
    schedule: 'Schedule',
    owner: 'Owner',
    error: 'Error starts with',
    created_from: 'Created from',
    created_to: 'Created until',
    finished_from: 'Finished from',
    finished_to: 'Finished until',
    id: 'Id',
};

/** Reads the filters of an address; what is unknown or empty is left out. */
export function read(query: URLSearchParams): Filters {
    const filters: Filters = { state: unique(query.getAll('state')), tag: unique(query.getAll('tag')) };
    for (const name of single) {
        const value = query.get(name)?.trim();
        if (value) filters[name] = value;
    }
    return filters;
}

/** The query of an address: always in the same order. */
export function write(filters: Filters): URLSearchParams {
    const query = new URLSearchParams();
    for (const name of single) if (filters[name]?.trim()) query.set(name, filters[name]!.trim());
    for (const name of several) for (const value of unique(filters[name])) query.append(name, value);
    return query;
}

/** The same for the server: local times become UTC. */
export function request(filters: Filters): URLSearchParams {
    const query = write(filters);
    for (const name of ['created_from', 'created_to', 'finished_from', 'finished_to']) {
        const value = query.get(name);
        if (value) query.set(name, utc(value));
    }
    return query;
}

/** The selection of an operation: the same filters as JSON. */
export function selection(filters: Filters): Record<string, string | string[]> {
    const result: Record<string, string | string[]> = {};
    const query = request(filters);
    for (const name of new Set(query.keys())) {
        result[name] = (several as readonly string[]).includes(name) ? query.getAll(name) : query.get(name)!;
    }
    return result;
}

/** What the search box means: an id, filters such as "queue:mails state:failed", or the start of a name. */
export function parseText(text: string): Filters {
    const filters: Filters = { state: [], tag: [] };
    for (const [, key, quoted, plain] of text.matchAll(/(?:([a-z_]+):)?(?:"([^"]*)"|(\S+))/g)) {
        const value = quoted ?? plain ?? '';
        if (!value) continue;
        if (key === 'state' || key === 'tag') filters[key].push(value);
        else if (key && (single as readonly string[]).includes(key)) filters[key as Single] = value;
        else if (/^[0-9a-f]{8}-[0-9a-f]{4}-/i.test(value)) filters.id = value;
        else filters.name = key ? `${key}:${value}` : value;
    }
    return filters;
}

/** The filters as the search box shows them. */
export function toText(filters: Filters): string {
    const quote = (value: string): string => (/\s/.test(value) ? `"${value}"` : value);
    return [...write(filters)].map(([k, v]) => `${k}:${quote(v)}`).join(' ');
}

/** Why a search cannot be made, or null. */
export function problem(filters: Filters): string | null {
    const unknown = filters.state.find((state) => !states.includes(state));
    return unknown === undefined ? null : `${unknown} is not a state; there are ${states.join(', ')}.`;
}

export const isEmpty = (filters: Filters): boolean => write(filters).size === 0;

const utc = (value: string): string => {
    const date = new Date(value);
    return Number.isNaN(date.getTime()) ? value : date.toISOString();
};

const unique = (values: readonly string[]): string[] => [...new Set(values.map((v) => v.trim()).filter(Boolean))];
