import type { JSX } from 'preact';
import { get } from '../lib/api';
import { drainText } from '../lib/estimate';
import { count, duration, plural, rate } from '../lib/format';
import { overview } from '../lib/live';
import { useLoad } from '../lib/load';
import { href } from '../lib/router';
import { has, isOperator } from '../lib/session';
import type { FailureGroup, Overview } from '../lib/types';
import { Badge, Card, Empty, Head, Number, QueueLink, Show, When } from '../ui/basics';
import { Table } from '../ui/list';
import { Icon } from '../ui/icon';
import { Spark } from '../ui/spark';

export function OverviewPage(): JSX.Element {
    const first = useLoad('overview', (s) => get<Overview>('/console/overview', s), null);
    const data = overview.value ?? first.data;
    return (
        <>
            <Head title="Overview" sub="What waits, what runs, and what needs attention." />
            <Show of={{ ...first, data, stale: false, error: data ? null : first.error }} what="The overview">
                {(o) => <Content o={o} />}
            </Show>
        </>
    );
}

function Content({ o }: { o: Overview }): JSX.Element {
    const sum = (of: (q: Overview['queues'][number]) => number): number => o.queues.reduce((a, q) => a + of(q), 0);
    const oldest = Math.max(0, ...o.queues.map((q) => q.oldest_age_seconds ?? 0));
    const failing = sum((q) => q.failed_per_minute ?? 0);
    return (
        <>
            <p class={`health ${o.health.state}`} role="status">
                <Badge state={o.health.state}>
                    {o.health.state === 'ok' ? 'Healthy' : o.health.state === 'degraded' ? 'Degraded' : 'Down'}
                </Badge>
                <span>{o.health.sentence}</span>
            </p>
            <div class="numbers">
                <Number name="Waiting" value={count(sum((q) => q.waiting))} />
                <Number name="Running" value={count(sum((q) => q.running))} />
                <Number name="In per second" value={rate(sum((q) => q.in_per_second ?? 0))} />
                <Number name="Out per second" value={rate(sum((q) => q.out_per_second ?? 0))} />
                <Number name="Failures per minute" value={rate(failing)} tone={failing > 0 ? 'bad' : 'plain'} />
                <Number name="Oldest waiting" value={oldest > 0 ? duration(oldest) : '–'} />
            </div>
            <Card title="Queues" flush actions={<a href={href(['queues'])}>All queues</a>}>
                {o.queues.length === 0 ? (
                    <Empty title="No queues yet" icon="queues">
                        <p>A queue appears with its first task:</p>
                        <p>
                            <code>taskqueue enqueue mails send '{'{"to":"ann"}'}'</code>
                        </p>
                    </Empty>
                ) : (
                    <Queues o={o} />
                )}
                {(o.queues_left_out ?? 0) > 0 && (
                    <p class="foot muted">{plural(o.queues_left_out!, 'queue')} with fewer waiting tasks are left out.</p>
                )}
            </Card>
            <div class="columns">
                {has('failures') && <NewFailures count={o.new_failures ?? 0} />}
                <Card title="Condition">
                    <ul class="conditions">
                        {has('workers') && o.lost_workers !== null && (
                            <li>
                                <span>Workers</span>
                                {o.lost_workers > 0 ? (
                                    <a href={href(['workers'], { state: 'lost' })}>
                                        <Badge state="lost">{plural(o.lost_workers, 'lost worker')}</Badge>
                                    </a>
                                ) : (
                                    <Badge state="ok">none lost</Badge>
                                )}
                            </li>
                        )}
                        {o.outbox && (
                            <li>
                                <span>
                                    Outbox <small>events that wait to be published</small>
                                </span>
                                <Badge state={(o.outbox.oldest_age_seconds ?? 0) > 30 ? 'degraded' : 'ok'}>
                                    {o.outbox.depth === 0
                                        ? 'empty'
                                        : `${count(o.outbox.depth)}, oldest ${duration(o.outbox.oldest_age_seconds)}`}
                                </Badge>
                            </li>
                        )}
                        {o.dependencies.map((d) => (
                            <li key={d.name}>
                                <span>
                                    {d.name} {d.detail && <small>{d.detail}</small>}
                                </span>
                                <Badge state={d.state} />
                            </li>
                        ))}
                    </ul>
                </Card>
                {o.maintenance.length > 0 && (
                    <Card title="Maintenance" actions={isOperator() && <a href={href(['maintenance'])}>All jobs</a>}>
                        <ul class="conditions">
                            {o.maintenance.map((m) => (
                                <li key={m.name}>
                                    <span>
                                        {m.name}{' '}
                                        <small>
                                            last <When at={m.last_at} empty="never" />, next <When at={m.next_at} />
                                        </small>
                                    </span>
                                    <Badge state={m.last_outcome ?? 'waiting'}>{m.last_outcome ?? 'not run yet'}</Badge>
                                </li>
                            ))}
                        </ul>
                    </Card>
                )}
            </div>
        </>
    );
}

const Queues = ({ o }: { o: Overview }): JSX.Element => (
    <Table
        label="Queues"
        head={[
            'Queue',
            { name: 'Waiting', class: 'num' },
            { name: 'Running', class: 'num' },
            { name: 'Oldest', class: 'num' },
            { name: 'In/s', class: 'num' },
            { name: 'Out/s', class: 'num' },
            { name: 'Failed/min', class: 'num' },
            'Time to drain',
            { name: 'Waiting lately', class: 'wide' },
        ]}
    >
        {o.queues.map((q) => (
            <tr key={q.queue}>
                <th scope="row">
                    <QueueLink name={q.queue} /> {q.paused && <Badge state="paused" />}
                </th>
                <td class="num">{count(q.waiting)}</td>
                <td class="num">{count(q.running)}</td>
                <td class="num">{q.oldest_age_seconds ? duration(q.oldest_age_seconds) : '–'}</td>
                <td class="num">{rate(q.in_per_second)}</td>
                <td class="num">{rate(q.out_per_second)}</td>
                <td class={(q.failed_per_minute ?? 0) > 0 ? 'num bad-text' : 'num'}>{rate(q.failed_per_minute)}</td>
                <td>{drainText(q.waiting, q.drain_seconds, q.paused, q.out_per_second !== null)}</td>
                <td class="wide">
                    <Spark values={q.spark} label={`Waiting tasks of ${q.queue} at the last reads: now ${count(q.waiting)}`} />
                </td>
            </tr>
        ))}
    </Table>
);

function NewFailures({ count: total }: { count: number }): JSX.Element {
    const groups = useLoad(`failures ${total}`, (s) => get<{ groups: FailureGroup[] }>('/failures?state=open&limit=5', s), 15_000);
    return (
        <Card title="Open failures" actions={<a href={href(['failures'])}>All failures</a>}>
            <Show of={groups} what="Failures">
                {(g) =>
                    g.groups.length === 0 ? (
                        <Empty title="No open failures" icon="check">
                            <p>Tasks that fail appear here, grouped by their cause.</p>
                        </Empty>
                    ) : (
                        <ul class="rows">
                            {g.groups.map((f) => (
                                <li key={f.id}>
                                    <a href={href(['failures', f.id])}>
                                        <span class="rows-main">
                                            {f.error_type && <b>{f.error_type}: </b>}
                                            {f.message}
                                        </span>
                                        <span class="rows-side">
                                            {f.queue} · {count(f.count)} times · <When at={f.last_seen_at} />
                                        </span>
                                        <Icon name="right" />
                                    </a>
                                </li>
                            ))}
                        </ul>
                    )
                }
            </Show>
        </Card>
    );
}
