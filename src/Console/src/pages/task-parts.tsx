import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { get, path } from '../lib/api';
import { duration, seconds, time } from '../lib/format';
import { now } from '../lib/live';
import { useLoad } from '../lib/load';
import { attempts, stretches } from '../lib/timeline';
import { has } from '../lib/session';
import type { LogEntry, TaskDetails, Why } from '../lib/types';
import { Badge, Button, Card, Empty, Notice, Show, TaskLink, When } from '../ui/basics';
import { Table } from '../ui/list';

const kinds = { waited: 'waited', ran: 'ran', delayed: 'was not due' } as const;

/** The events of a task's life over a band that shows how long it waited and ran. */
export function History({ task }: { task: TaskDetails }): JSX.Element {
    const parts = stretches(task.timeline, now.value);
    return (
        <>
            {parts.length > 0 && (
                <div
                    class="band"
                    role="img"
                    aria-label={parts.map((p) => `${kinds[p.kind]} ${duration(((p.to ?? now.value) - p.from) / 1000)}`).join(', ')}
                >
                    {parts.map((p, i) => (
                        <span
                            key={i}
                            class={p.kind}
                            style={{ width: `${p.share}%` }}
                            title={`${kinds[p.kind]} ${duration(((p.to ?? now.value) - p.from) / 1000)}`}
                        />
                    ))}
                </div>
            )}
            <p class="legend" aria-hidden="true">
                <span class="waited">waited</span>
                <span class="delayed">not due</span>
                <span class="ran">ran</span>
            </p>
            {task.timeline.length === 0 ? (
                <p class="muted">No events are kept for this queue.</p>
            ) : (
                <ol class="steps">
                    {task.timeline.map((s, i) => {
                        const before = task.timeline[i - 1];
                        const gap = before && seconds(before.at, s.at);
                        return (
                            <li key={i} class={s.event}>
                                <span class="step-name">
                                    {s.event}
                                    {s.attempt > 0 && <span class="muted"> · attempt {s.attempt}</span>}
                                </span>
                                <span class="step-time">
                                    <time dateTime={s.at}>{time(s.at, true)}</time>
                                    {gap != null && <small>+{duration(gap)}</small>}
                                </span>
                                {s.worker && <span class="step-more">on {s.worker}</span>}
                                {s.due_at && Date.parse(s.due_at) > Date.parse(s.at) + 999 && (
                                    <span class="step-more">
                                        due <When at={s.due_at} />
                                    </span>
                                )}
                                {s.error && <span class="step-more bad-text breakable">{s.error}</span>}
                            </li>
                        );
                    })}
                </ol>
            )}
        </>
    );
}

export function Attempts({ task }: { task: TaskDetails }): JSX.Element {
    const list = attempts(task.timeline);
    if (list.length === 0) return <Empty title="It has not started yet" icon="schedules" />;
    return (
        <Table
            label="Attempts"
            minimal
            head={['Attempt', 'Outcome', 'Worker', { name: 'Started', class: '' }, { name: 'Took', class: 'num' }]}
        >
            {list.map((a) => (
                <tr key={a.started}>
                    <th scope="row">{a.attempt}</th>
                    <td>
                        <Badge state={a.outcome} />
                        {a.error && (
                            <span class="under bad-text clip" title={a.error}>
                                {a.error}
                            </span>
                        )}
                    </td>
                    <td class="nowrap">{a.worker ?? '–'}</td>
                    <td>
                        <When at={a.started} />
                    </td>
                    <td class="num">{duration(seconds(a.started, a.ended ?? now.value))}</td>
                </tr>
            ))}
        </Table>
    );
}

/** Why a task does not run, in the server's words. */
export function WhyBanner({ task, over }: { task: TaskDetails; over: boolean }): JSX.Element | null {
    if (!has('why') || over || task.status === 'running') return null;
    return <WhyWaiting key={task.status} id={task.id} />;
}

function WhyWaiting({ id }: { id: string }): JSX.Element | null {
    const why = useLoad(`why ${id}`, (s) => get<Why>(path`/tasks/${id}/why`, s), 3000);
    const gates = why.data?.gates ?? [];
    if (gates.length === 0) return null;
    return (
        <Notice tone="info" icon="schedules">
            <strong>Why it does not run</strong>
            <ul class="gates">
                {gates.map((g) => (
                    <li key={g.gate}>
                        {g.message}
                        {g.opens_at && (
                            <>
                                {' '}
                                Opens <When at={g.opens_at} />.
                            </>
                        )}
                        {g.position != null && <> Position {g.position}.</>}
                        {g.holder?.task_id && (
                            <>
                                {' '}
                                Behind <TaskLink id={g.holder.task_id} />.
                            </>
                        )}
                    </li>
                ))}
            </ul>
        </Notice>
    );
}

export function Logs({ id, over }: { id: string; over: boolean }): JSX.Element {
    const [pages, setPages] = useState(1);
    const logs = useLoad(
        `logs ${id} ${pages}`,
        async (s) => {
            const entries: LogEntry[] = [];
            let cursor: string | null = null;
            for (let i = 0; i < pages; i++) {
                const page: { entries: LogEntry[]; next_cursor: string | null } = await get(
                    path`/tasks/${id}/logs` + (cursor ? `?cursor=${encodeURIComponent(cursor)}` : ''),
                    s,
                );
                entries.push(...page.entries);
                cursor = page.next_cursor;
                if (!cursor) break;
            }
            return { entries, more: cursor !== null };
        },
        over ? null : 2000,
    );
    return (
        <Card title="Logs">
            <Show of={logs} what="The logs">
                {(l) =>
                    l.entries.length === 0 ? (
                        <p class="muted">Nothing was logged. Workers send lines with their heartbeats and reports.</p>
                    ) : (
                        <>
                            <div class="logs" role="region" aria-label="Log lines" tabIndex={0}>
                                {l.entries.map((e, i) => (
                                    <div key={i} class={`log ${e.level}`}>
                                        <time dateTime={e.at}>{time(e.at, true).slice(11)}</time>
                                        <b>{e.level}</b>
                                        <span class="muted">#{e.attempt}</span>
                                        <span>{e.message}</span>
                                    </div>
                                ))}
                            </div>
                            {l.more && (
                                <Button kind="ghost" onClick={() => setPages(pages + 1)}>
                                    Show more
                                </Button>
                            )}
                        </>
                    )
                }
            </Show>
        </Card>
    );
}

interface Relative {
    id: string;
    name?: string | null;
    state?: string;
    relation?: string;
}

/** What it came from, and what came from it. */
export function Lineage({ id }: { id: string }): JSX.Element | null {
    const lineage = useLoad(
        `lineage ${id}`,
        (s) => get<{ tasks?: Relative[]; parents?: Relative[]; children?: Relative[] }>(path`/tasks/${id}/lineage`, s),
        10_000,
    );
    const data = lineage.data;
    const all = [...(data?.parents ?? []), ...(data?.tasks ?? []), ...(data?.children ?? [])].filter((t) => t.id !== id);
    if (all.length === 0) return null;
    return (
        <Card title="Lineage">
            <ul class="conditions">
                {all.map((t) => (
                    <li key={t.id}>
                        <span>
                            {t.name} <TaskLink id={t.id} /> {t.relation && <small>{t.relation}</small>}
                        </span>
                        {t.state && <Badge state={t.state} />}
                    </li>
                ))}
            </ul>
        </Card>
    );
}
