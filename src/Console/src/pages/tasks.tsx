import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { isEmpty, read, states, write, type Filters } from '../lib/filters';
import { duration, plural, seconds } from '../lib/format';
import { now } from '../lib/live';
import { useLoad } from '../lib/load';
import { go, href, place } from '../lib/router';
import { canChange, has } from '../lib/session';
import type { FoundTask } from '../lib/types';
import { Badge, Button, Card, Empty, Head, QueueLink, Show, TaskLink, When } from '../ui/basics';
import { Pager, Table } from '../ui/list';
import { asking } from '../ui/dialog';
import { search } from '../lib/search';
import { BulkBar } from './bulk';
import { SearchBox } from './search-box';

/** The tasks that match the filters of the address, newest first. */
export function TasksPage(): JSX.Element {
    const query = place.value.query;
    const filters = read(query);
    const cursor = query.get('cursor');
    const [selected, select] = useState<ReadonlySet<string>>(new Set());
    const [all, setAll] = useState(false);
    const [barren, setBarren] = useState(false);
    const key = write(filters).toString();
    const still = cursor !== null || selected.size > 0 || barren || asking();
    const list = useLoad(
        `tasks ${key} ${cursor}`,
        async (s) => {
            const page = await search(filters, cursor, s);
            setBarren(page.tasks.length === 0 && page.next_cursor !== null);
            return page;
        },
        still ? null : 3000,
    );

    useEffect(() => {
        select(new Set());
        setAll(false);
    }, [key, cursor]);

    const apply = (next: Filters): void => go(href(['tasks'], write(next)));
    const older = (from: string): void => {
        const next = write(filters);
        next.set('cursor', from);
        go(href(['tasks'], next));
    };
    const tasks = list.data?.tasks ?? [];
    const every = tasks.length > 0 && tasks.every((t) => selected.has(t.id));
    const toggle = (id: string): void => {
        const next = new Set(selected);
        if (!next.delete(id)) next.add(id);
        setAll(false);
        select(next);
    };
    return (
        <>
            <Head title="Tasks" sub="Search by any filter; the address keeps them, so it can be shared." />
            <SearchBox key={key} filters={filters} apply={apply} />
            <div class="chips" role="group" aria-label="State">
                {states.map((state) => {
                    const on = filters.state.includes(state);
                    const next = on ? filters.state.filter((s) => s !== state) : has('search') ? [...filters.state, state] : [state];
                    return (
                        <button
                            type="button"
                            key={state}
                            class="chip"
                            aria-pressed={on}
                            onClick={() => apply({ ...filters, state: next })}
                        >
                            <Badge state={state} />
                        </button>
                    );
                })}
                {!isEmpty(filters) && (
                    <Button kind="ghost" icon="close" onClick={() => apply({ state: [], tag: [] })}>
                        Clear all
                    </Button>
                )}
            </div>
            <Show of={list} what="The tasks">
                {(page) =>
                    page.tasks.length === 0 ? (
                        <NoTasks filtered={!isEmpty(filters)} further={page.next_cursor === null ? null : () => older(page.next_cursor!)} />
                    ) : (
                        <Card flush>
                            {selected.size > 0 && (
                                <BulkBar
                                    selected={selected}
                                    all={all}
                                    filters={filters}
                                    total={page.total}
                                    pageFull={every && (page.next_cursor !== null || cursor !== null)}
                                    chooseAll={() => setAll(true)}
                                    clear={() => {
                                        select(new Set());
                                        setAll(false);
                                    }}
                                    done={list.reload}
                                />
                            )}
                            <Table
                                label="Tasks"
                                head={[
                                    ...(canChange() ? [{ name: 'Select', class: 'check' }] : []),
                                    'Task',
                                    'State',
                                    'Queue',
                                    { name: 'Attempt', class: 'num wide' },
                                    { name: 'Created', class: '' },
                                    { name: 'Took', class: 'num wide' },
                                    { name: 'Worker', class: 'wide' },
                                ]}
                            >
                                {page.tasks.map((t) => (
                                    <Row key={t.id} t={t} on={selected.has(t.id)} toggle={() => toggle(t.id)} />
                                ))}
                            </Table>
                            <div class="foot">
                                {canChange() && (
                                    <label class="inline">
                                        <input
                                            type="checkbox"
                                            checked={every}
                                            onChange={() => {
                                                setAll(false);
                                                select(every ? new Set() : new Set(tasks.map((t) => t.id)));
                                            }}
                                        />{' '}
                                        Select this page
                                    </label>
                                )}
                                <Pager
                                    first={cursor === null}
                                    next={page.next_cursor !== null}
                                    shown={`${page.total.exact ? '' : 'about '}${plural(page.total.count, 'task')}`}
                                    onFirst={() => apply(filters)}
                                    onNext={() => older(page.next_cursor!)}
                                />
                            </div>
                        </Card>
                    )
                }
            </Show>
        </>
    );
}

function Row({ t, on, toggle }: { t: FoundTask; on: boolean; toggle: () => void }): JSX.Element {
    const took = t.started_at && (t.finished_at || t.state === 'running') ? seconds(t.started_at, t.finished_at ?? now.value) : null;
    return (
        <tr class={on ? 'chosen' : ''}>
            {canChange() && (
                <td class="check">
                    <input type="checkbox" checked={on} onChange={toggle} aria-label={`Select task ${t.id}`} />
                </td>
            )}
            <th scope="row">
                <a class="task-name" href={href(['tasks', t.id])}>
                    {t.name ?? 'unnamed'}
                </a>
                <span class="under">
                    <TaskLink id={t.id} />
                    {t.tags.map((tag) => (
                        <a key={tag} class="tag" href={href(['tasks'], { tag })}>
                            {tag}
                        </a>
                    ))}
                </span>
                {t.error && (
                    <span class="under bad-text clip" title={t.error}>
                        {t.error}
                    </span>
                )}
            </th>
            <td>
                <Badge state={t.state} />
            </td>
            <td>
                {t.queue ? <QueueLink name={t.queue} /> : '–'}
                {t.tier > 0 && <span class="muted">:{t.tier}</span>}
            </td>
            <td class="num wide">{t.max_attempts > 0 ? `${t.attempt}/${t.max_attempts}` : '–'}</td>
            <td>
                <When at={t.created_at} />
            </td>
            <td class="num wide">{took === null ? '–' : duration(took)}</td>
            <td class="wide nowrap">{t.worker ?? '–'}</td>
        </tr>
    );
}

const NoTasks = ({ filtered, further }: { filtered: boolean; further: (() => void) | null }): JSX.Element =>
    further ? (
        <Empty title="No match yet" icon="search">
            <p>None of the tasks that were looked at so far matches, and there are older ones.</p>
            <p>A filter by queue, tag, state or time makes a search quick.</p>
            <p>
                <Button kind="primary" onClick={further}>
                    Look further
                </Button>
            </p>
        </Empty>
    ) : filtered ? (
        <Empty title="No task matches" icon="search">
            <p>Remove a filter, or check its spelling. Finished tasks are kept as long as their queue says.</p>
        </Empty>
    ) : (
        <Empty title="No tasks yet" icon="tasks">
            <p>Submit one from a terminal:</p>
            <p>
                <code>taskqueue enqueue mails send '{'{"to":"ann"}'}'</code>
            </p>
        </Empty>
    );
