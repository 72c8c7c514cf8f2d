import type { JSX } from 'preact';
import { get, path, send } from '../lib/api';
import { commands } from '../lib/commands';
import { count } from '../lib/format';
import { useLoad } from '../lib/load';
import { address, go, href, place } from '../lib/router';
import { canChange, has } from '../lib/session';
import type { FailureGroup } from '../lib/types';
import { Badge, Button, Card, Copy, Empty, Facts, Head, QueueLink, Show, TaskLink, When } from '../ui/basics';
import { Pager, Table } from '../ui/list';
import { ask } from '../ui/dialog';
import { Choice, TextFilter } from '../ui/filter';

/** Failures, grouped by their cause. */
export function FailuresPage(): JSX.Element {
    const query = place.value.query;
    const state = query.get('state') ?? 'open';
    const kind = query.get('kind') ?? '';
    const queue = query.get('queue') ?? '';
    const cursor = query.get('cursor');
    const search = new URLSearchParams({ limit: '50' });
    if (state !== 'all') search.set('state', state);
    if (kind) search.set('kind', kind);
    if (queue) search.set('queue', queue);
    if (cursor) search.set('cursor', cursor);
    const list = useLoad(
        `failures ${search}`,
        (s) => get<{ groups: FailureGroup[]; next_cursor: string | null }>(`/failures?${search}`, s),
        cursor ? null : 5000,
    );
    const change = (next: Record<string, string>): void => go(href(['failures'], { state, kind, queue, ...next }));
    return (
        <>
            <Head title="Failures" sub="What went wrong, grouped by cause: a group is resolved until the same failure comes back." />
            <div class="filter-line">
                <Choice
                    label="State"
                    value={state}
                    options={['open', 'resolved', 'ignored', 'all']}
                    change={(v) => change({ state: v })}
                />
                <Choice label="Kind" value={kind} options={[['', 'any'], 'error', 'crash']} change={(v) => change({ kind: v })} />
                <TextFilter label="Queue" value={queue} change={(v) => change({ queue: v })} />
            </div>
            <Show of={list} what="The failures">
                {(page) =>
                    page.groups.length === 0 ? (
                        <Empty title={state === 'open' ? 'No open failures' : 'No failures'} icon="check">
                            <p>When a task fails, or its worker is lost, its cause appears here.</p>
                        </Empty>
                    ) : (
                        <Card flush>
                            <Table
                                label="Failures"
                                head={[
                                    'Failure',
                                    'Queue',
                                    { name: 'Count', class: 'num' },
                                    { name: 'First', class: 'wide' },
                                    'Last',
                                    'State',
                                ]}
                            >
                                {page.groups.map((f) => (
                                    <tr key={f.id}>
                                        <th scope="row">
                                            <a class="task-name" href={href(['failures', f.id])}>
                                                {f.error_type ?? (f.kind === 'crash' ? 'Worker lost' : 'Error')}
                                            </a>
                                            <span class="under clip" title={f.message}>
                                                {f.message}
                                            </span>
                                        </th>
                                        <td>
                                            <QueueLink name={f.queue} />
                                            {f.name && <span class="under">{f.name}</span>}
                                        </td>
                                        <td class="num">{count(f.count)}</td>
                                        <td class="wide">
                                            <When at={f.first_seen_at} />
                                        </td>
                                        <td>
                                            <When at={f.last_seen_at} />
                                        </td>
                                        <td>
                                            <Badge state={f.state} />
                                            {f.regressed && <span class="under warn-text">came back</span>}
                                        </td>
                                    </tr>
                                ))}
                            </Table>
                            <div class="foot">
                                <Pager
                                    first={!cursor}
                                    next={page.next_cursor !== null}
                                    shown={`${page.groups.length} groups on this page`}
                                    onFirst={() => change({})}
                                    onNext={() => change({ cursor: page.next_cursor! })}
                                />
                            </div>
                        </Card>
                    )
                }
            </Show>
        </>
    );
}

export function FailurePage({ id }: { id: string }): JSX.Element {
    const loaded = useLoad(`failure ${id}`, (s) => get<FailureGroup>(path`/failures/${id}`, s), 5000);
    return (
        <Show of={loaded} what="This failure" above={{ name: 'Failures', to: href(['failures']) }}>
            {(f) => (
                <>
                    <Head
                        crumb={{ name: 'Failures', to: href(['failures']) }}
                        sub={<span class="breakable">{f.message}</span>}
                        title={
                            <>
                                {f.error_type ?? (f.kind === 'crash' ? 'Worker lost' : 'Error')} <Badge state={f.state} />
                            </>
                        }
                    >
                        {canChange('admin') && <Verbs f={f} reload={loaded.reload} />}
                    </Head>
                    <Card>
                        <Facts
                            items={[
                                ['Kind', f.kind],
                                ['Queue', <QueueLink name={f.queue} />],
                                ['Task', f.name ?? 'unnamed'],
                                ['Count', count(f.count)],
                                ['Versions', f.versions.length === 0 ? 'unknown' : f.versions.join(', ')],
                                ['First seen', <When at={f.first_seen_at} />],
                                ['Last seen', <When at={f.last_seen_at} />],
                                ...(has('search')
                                    ? [
                                          [
                                              'Failed tasks',
                                              <a href={href(['tasks'], { queue: f.queue, name: f.name, state: 'failed' })}>Search</a>,
                                          ] as [string, JSX.Element],
                                      ]
                                    : []),
                            ]}
                        />
                    </Card>
                    <Card title="Examples">
                        {(f.samples ?? []).length === 0 ? (
                            <p class="muted">No example is kept.</p>
                        ) : (
                            f.samples!.map((s, i) => (
                                <details class="sample" open={i === 0} key={`${s.task_id} ${s.attempt}`}>
                                    <summary>
                                        <span>Attempt {s.attempt}</span>
                                        <span class="muted">
                                            {s.worker && `on ${s.worker}, `}
                                            <When at={s.at} />
                                        </span>
                                    </summary>
                                    <p>
                                        Task <TaskLink id={s.task_id} full />
                                    </p>
                                    {s.error && <p class="bad-text breakable">{s.error}</p>}
                                    {s.stack && (
                                        <div class="json-box">
                                            <div class="json-tools">
                                                <Copy text={s.stack} label="Copy the stack" />
                                            </div>
                                            <pre class="json" tabIndex={0} role="region" aria-label="Stack">
                                                {s.stack}
                                            </pre>
                                        </div>
                                    )}
                                </details>
                            ))
                        )}
                    </Card>
                </>
            )}
        </Show>
    );
}

function Verbs({ f, reload }: { f: FailureGroup; reload: () => void }): JSX.Element {
    const change = (verb: 'resolve' | 'ignore' | 'reopen', title: string, text: string): void =>
        ask({
            title,
            text,
            confirm: verb[0]!.toUpperCase() + verb.slice(1),
            commands: commands('POST', address(`failures/${f.id}/${verb}`), ['failures', verb, f.id]),
            run: async () => {
                await send('POST', path`/failures/${f.id}/${verb}`);
                return `The failure was ${verb === 'reopen' ? 'reopened' : verb === 'ignore' ? 'ignored' : 'resolved'}.`;
            },
            done: reload,
        });
    return f.state === 'open' ? (
        <>
            <Button
                kind="primary"
                icon="check"
                onClick={() => change('resolve', 'Resolve this failure?', 'It opens again when the same failure comes back.')}
            >
                Resolve
            </Button>
            <Button onClick={() => change('ignore', 'Ignore this failure?', 'It is still counted, but no longer shown as open.')}>
                Ignore
            </Button>
        </>
    ) : (
        <Button onClick={() => change('reopen', 'Reopen this failure?', 'It is shown as open again.')}>Reopen</Button>
    );
}
