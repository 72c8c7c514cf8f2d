import type { JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { call, get, path, send } from '../lib/api';
import { commands } from '../lib/commands';
import { drainText } from '../lib/estimate';
import { count, duration, plural, rate } from '../lib/format';
import { overview } from '../lib/live';
import { useLoad } from '../lib/load';
import { address, go, href } from '../lib/router';
import { canChange, has } from '../lib/session';
import type { Queue, Statistics } from '../lib/types';
import { Badge, Button, Card, Facts, Head, Number, Show, When } from '../ui/basics';
import { Chart, type Series } from '../ui/chart';
import { ask } from '../ui/dialog';
import { Choice } from '../ui/filter';
import { PauseButton } from './queues';
import { QueueSettings } from './queue-settings';

export function QueuePage({ name }: { name: string }): JSX.Element {
    const loaded = useLoad(`queue ${name}`, (s) => get<Queue>(path`/queues/${name}`, s), 2000);
    return (
        <Show of={loaded} what={`Queue ${name}`} above={{ name: 'Queues', to: href(['queues']) }}>
            {(q) => <Details q={q} reload={loaded.reload} />}
        </Show>
    );
}

function Details({ q, reload }: { q: Queue; reload: () => void }): JSX.Element {
    const live = overview.value?.queues.find((o) => o.queue === q.name);
    const c = q.counts;
    const admin = canChange('admin');
    return (
        <>
            <Head
                crumb={{ name: 'Queues', to: href(['queues']) }}
                sub={q.description || undefined}
                title={
                    <>
                        {q.name} {q.paused ? <Badge state="paused" /> : <Badge state="active">open</Badge>}
                    </>
                }
            >
                {admin && q.created_at && <PauseButton q={q} reload={reload} />}
                {admin && q.created_at && (c?.dead_letters ?? 0) > 0 && <Redrive q={q} reload={reload} />}
                {admin && q.created_at && <Purge q={q} reload={reload} />}
                {admin && q.created_at && <Delete q={q} />}
            </Head>
            <div class="numbers">
                <Number name="Waiting" value={<a href={href(['tasks'], { queue: q.name, state: 'pending' })}>{count(c?.waiting)}</a>} />
                <Number name="Running" value={<a href={href(['tasks'], { queue: q.name, state: 'running' })}>{count(c?.running)}</a>} />
                {(c?.later ?? 0) > 0 && <Number name="Not due yet" value={count(c?.later)} />}
                <Number name="Oldest waiting" value={c?.oldest_waiting_seconds ? duration(c.oldest_waiting_seconds) : '–'} />
                {live && <Number name="In per second" value={rate(live.in_per_second)} />}
                {live && <Number name="Out per second" value={rate(live.out_per_second)} />}
                {live && (
                    <Number
                        name="Time to drain"
                        value={drainText(live.waiting, live.drain_seconds, q.paused, live.out_per_second !== null)}
                    />
                )}
                <Number
                    name="Dead letters"
                    tone={c?.dead_letters ? 'bad' : 'plain'}
                    value={<a href={href(['tasks'], { queue: q.name, state: 'failed' })}>{count(c?.dead_letters)}</a>}
                />
            </div>
            {has('statistics') && <Charts name={q.name} />}
            <div class="columns two">
                <div>
                    <QueueSettings key={q.version} q={q} reload={reload} />
                </div>
                <aside aria-label="About this queue">
                    <Card title="Details">
                        <Facts
                            items={[
                                ['Delivery', q.delivery],
                                ['Declared', q.created_at ? <When at={q.created_at} /> : 'no: it has the default settings'],
                                ['Changed', <When at={q.updated_at} />],
                                ['Version', q.version],
                                ['Events', q.events],
                                ['Completed', count(c?.completed)],
                                ['Expired', count(c?.expired)],
                                ['Schedules', <a href={href(['schedules'], { queue: q.name })}>Show</a>],
                            ]}
                        />
                    </Card>
                </aside>
            </div>
        </>
    );
}

const ranges: Record<string, { hours: number; step: string; name: string }> = {
    hour: { hours: 1, step: 'minute', name: 'last hour' },
    day: { hours: 24, step: 'minute', name: 'last day' },
    month: { hours: 24 * 30, step: 'hour', name: 'last 30 days' },
    year: { hours: 24 * 365, step: 'day', name: 'last year' },
};

function Charts({ name }: { name: string }): JSX.Element {
    const [range, setRange] = useState('hour');
    const { hours, step } = ranges[range]!;
    const stats = useLoad(
        `statistics ${name} ${range}`,
        (s) => {
            const from = new Date(Date.now() - hours * 3_600_000).toISOString();
            return get<Statistics>(`/statistics?queue=${encodeURIComponent(name)}&from=${encodeURIComponent(from)}&step=${step}`, s);
        },
        range === 'hour' ? 10_000 : 60_000,
    );
    return (
        <Card
            title="History"
            actions={
                <Choice label="Range" value={range} options={Object.entries(ranges).map(([k, r]) => [k, r.name])} change={setRange} />
            }
        >
            <Show of={stats} what="The statistics">
                {(s) => <Lines s={s} name={name} />}
            </Show>
        </Card>
    );
}

function Lines({ s, name }: { s: Statistics; name: string }): JSX.Element {
    const points = s.queues.find((q) => q.queue === name)?.points ?? [];
    const seconds = s.step === 'minute' ? 60 : s.step === 'hour' ? 3600 : 86_400;
    const { times, age, flow } = useMemo(() => {
        const perSecond = (v: number): number => v / seconds;
        const age: Series[] = [
            { name: 'Oldest waiting', colour: 'warn', values: points.map((p) => p.oldest_age_seconds), format: duration },
        ];
        const flow: Series[] = [
            { name: 'Submitted', colour: 'accent', values: points.map((p) => perSecond(p.submitted)), format: (v) => `${rate(v)}/s` },
            { name: 'Completed', colour: 'good', values: points.map((p) => perSecond(p.completed)), format: (v) => `${rate(v)}/s` },
            { name: 'Failed', colour: 'bad', values: points.map((p) => perSecond(p.failed)), format: (v) => `${rate(v)}/s` },
        ];
        return { times: points.map((p) => Date.parse(p.at) / 1000), age, flow };
    }, [s]);
    if (points.length < 2) return <p class="muted">Not enough is counted yet: a point is added every {s.step}.</p>;
    const last = points.at(-1)!;
    return (
        <div class="charts">
            <div>
                <h3>Age of the oldest waiting task</h3>
                <Chart
                    times={times}
                    series={age}
                    label={`Age of the oldest waiting task over time; now ${duration(last.oldest_age_seconds)}`}
                />
            </div>
            <div>
                <h3>Tasks per second</h3>
                <Chart
                    times={times}
                    series={flow}
                    label={`Tasks submitted, completed and failed; last: ${[last.submitted, last.completed, last.failed].join(', ')}`}
                />
            </div>
        </div>
    );
}

function Purge({ q, reload }: { q: Queue; reload: () => void }): JSX.Element {
    return (
        <Button
            kind="danger"
            icon="trash"
            onClick={() =>
                ask({
                    title: `Purge ${q.name}?`,
                    text: [
                        plural(q.counts?.waiting ?? 0, 'waiting task'),
                        plural(q.counts?.running ?? 0, 'running task'),
                        `${plural(q.counts?.dead_letters ?? 0, 'dead letter')} are deleted. This cannot be undone.`,
                    ].join(', '),
                    confirm: 'Purge queue',
                    danger: true,
                    typed: q.name,
                    commands: commands('POST', address(`queues/${encodeURIComponent(q.name)}/purge`), ['purge', q.name, '--yes']),
                    run: async () => {
                        await call('POST', path`/queues/${q.name}/purge`);
                        return `${q.name} was purged.`;
                    },
                    done: reload,
                })
            }
        >
            Purge
        </Button>
    );
}

function Redrive({ q, reload }: { q: Queue; reload: () => void }): JSX.Element {
    return (
        <Button
            icon="retry"
            onClick={() =>
                ask({
                    title: `Retry the dead letters of ${q.name}?`,
                    text: `${plural(q.counts?.dead_letters ?? 0, 'task')} wait again, with all their attempts.`,
                    confirm: 'Retry all',
                    commands: commands('POST', address(`queues/${encodeURIComponent(q.name)}/redrive`), [
                        'retry',
                        '--queue',
                        q.name,
                        '--dead',
                    ]),
                    run: async () => {
                        const done = await send<{ restarted: number; skipped: number }>('POST', path`/queues/${q.name}/redrive`);
                        return `${plural(done.restarted, 'task')} wait again${done.skipped ? `, ${done.skipped} were skipped` : ''}.`;
                    },
                    done: reload,
                })
            }
        >
            Retry dead letters
        </Button>
    );
}

const Delete = ({ q }: { q: Queue }): JSX.Element => (
    <Button
        kind="ghost"
        onClick={() =>
            ask({
                title: `Delete ${q.name}?`,
                text: 'Its settings and schedules are deleted. A queue that still has tasks is refused.',
                confirm: 'Delete queue',
                danger: true,
                typed: q.name,
                commands: commands('DELETE', address(`queues/${encodeURIComponent(q.name)}`), null),
                run: async () => {
                    await call('DELETE', path`/queues/${q.name}`);
                    go(href(['queues']));
                    return `${q.name} was deleted.`;
                },
            })
        }
    >
        Delete
    </Button>
);
