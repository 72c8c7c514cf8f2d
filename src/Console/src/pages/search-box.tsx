import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { get } from '../lib/api';
import { labels, parseText, problem, states, toText, type Filters, type Single } from '../lib/filters';

import { useLoad } from '../lib/load';

import { has, isOperator } from '../lib/session';
import type { Queue } from '../lib/types';
import { Button } from '../ui/basics';

import { Icon } from '../ui/icon';

/** Where filters are typed: as text, or each in its field. */
const fields: Single[] = [
    'queue',
    'name',
    'id',
    'ordering_key',
    'worker',
    'batch',
    'schedule',
    'error',
    'created_from',
    'created_to',
    'finished_from',
    'finished_to',
    'owner',
];

export function SearchBox({ filters, apply }: { filters: Filters; apply: (filters: Filters) => void }): JSX.Element | null {
    const [text, setText] = useState(toText({ ...filters, state: [] }));
    const [more, setMore] = useState(false);
    const [wrong, setWrong] = useState<string | null>(null);
    const [form, setForm] = useState(filters);
    const queues = useLoad('queue names', (s) => get<{ queues: Queue[] }>('/queues', s), null);
    if (!has('search')) return null;
    const names = (queues.data?.queues ?? []).slice(0, 200).map((q) => q.name);
    const typed = text.split(/\s+/).at(-1) ?? '';
    const before = text.slice(0, text.length - typed.length);
    const offers = typed.startsWith('queue:')
        ? names.map((n) => `${before}queue:${n}`)
        : [...fields.map((f) => `${before}${f}:`), `${before}tag:`, ...states.map((s) => `${before}state:${s}`)];
    const submit = (): void => {
        const found = parseText(text);
        const refused = problem(found);
        setWrong(refused);
        if (refused) return;
        apply({ ...found, state: found.state.length ? found.state : filters.state });
    };
    return (
        <div class="search">
            <form
                role="search"
                class="search-line"
                onSubmit={(e) => {
                    e.preventDefault();
                    submit();
                }}
            >
                <Icon name="search" />
                <label class="hidden" for="page-search">
                    Search tasks
                </label>
                <input
                    id="page-search"
                    class="input"
                    type="search"
                    list="search-offers"
                    value={text}
                    autocomplete="off"
                    spellcheck={false}
                    placeholder="An id, a name, or queue:mails tag:weekly…"
                    onInput={(e) => setText(e.currentTarget.value)}
                />
                <kbd aria-hidden="true">/</kbd>
                <datalist id="search-offers">
                    {offers.map((o) => (
                        <option key={o} value={o} />
                    ))}
                </datalist>
                <Button type="submit" kind="primary">
                    Search
                </Button>
                <Button icon="filter" pressed={more} onClick={() => setMore(!more)}>
                    Filters
                </Button>
            </form>
            {wrong && (
                <p class="bad-text" role="alert">
                    {wrong}
                </p>
            )}
            {more && (
                <form
                    class="card filters"
                    onSubmit={(e) => {
                        e.preventDefault();
                        apply({ ...form, state: filters.state });
                    }}
                >
                    <datalist id="queue-names">
                        {names.map((n) => (
                            <option key={n} value={n} />
                        ))}
                    </datalist>
                    {fields
                        .filter((f) => f !== 'owner' || isOperator())
                        .map((f) => (
                            <p class="field" key={f}>
                                <label for={`filter-${f}`}>{labels[f]}</label>
                                <input
                                    id={`filter-${f}`}
                                    class="input"
                                    type={f.includes('_from') || f.includes('_to') ? 'datetime-local' : 'text'}
                                    value={form[f] ?? ''}
                                    list={f === 'queue' ? 'queue-names' : undefined}
                                    onInput={(e) => setForm({ ...form, [f]: e.currentTarget.value })}
                                />
                            </p>
                        ))}
                    <p class="field">
                        <label for="filter-tag">Tags</label>
                        <input
                            id="filter-tag"
                            class="input"
                            placeholder="a, b"
                            value={form.tag.join(', ')}
                            onInput={(e) => setForm({ ...form, tag: e.currentTarget.value.split(',').map((v) => v.trim()) })}
                        />
                    </p>
                    <div class="filters-foot">
                        <Button type="submit" kind="primary">
                            Apply
                        </Button>
                    </div>
                </form>
            )}
        </div>
    );
}
