import { Verbs } from './schedule-verbs';
import type { JSX } from 'preact';
import { call, path } from '../lib/api';
import { inWords } from '../lib/cron';
import { plural, time } from '../lib/format';
import { useLoad } from '../lib/load';
import { href } from '../lib/router';
import { canChange, has } from '../lib/session';
import type { Schedule } from '../lib/types';
import { parse, write } from '../json/lossless';
import { Tree } from '../json/tree';
import { Badge, Card, Empty, Facts, Head, Notice, QueueLink, Show, TaskLink, When } from '../ui/basics';
import { Table } from '../ui/list';
import { search } from '../lib/search';

/** A schedule: when it runs, what it makes, and what it made. */
export function SchedulePage({ queue, name }: { queue: string; name: string }): JSX.Element {
    const loaded = useLoad(
        `schedule ${queue} ${name}`,
        async (s) => {
            const text = await call('GET', path`/queues/${queue}/schedules/${name}`, { signal: s });
            return { s: JSON.parse(text) as Schedule, json: parse(text) };
        },
        5000,
    );
    return (
        <Show of={loaded} what={`Schedule ${name}`} above={{ name: 'Schedules', to: href(['schedules']) }}>
            {({ s, json }) => {
                const data = json.kind === 'object' ? json.members.find(([n]) => n === 'data')?.[1] : undefined;
                return (
                    <>
                        <Head
                            crumb={{ name: 'Schedules', to: href(['schedules']) }}
                            sub={s.description || undefined}
                            title={
                                <>
                                    {s.name} {s.paused ? <Badge state="paused" /> : <Badge state="active" />}
                                </>
                            }
                        >
                            {canChange('admin') && <Verbs s={s} reload={loaded.reload} all />}
                        </Head>
                        {s.problem && (
                            <Notice tone="bad" icon="failures">
                                <strong>It cannot run.</strong> {s.problem}
                            </Notice>
                        )}
                        <div class="columns two">
                            <div>
                                <Card title="When">
                                    <p class="big-text">{inWords(s.cron)}</p>
                                    <p class="muted">
                                        <code>{s.cron}</code> in {s.time_zone}
                                    </p>
                                    <h3>Next ticks</h3>
                                    {s.next.length === 0 ? (
                                        <p class="muted">None: {s.paused ? 'it is paused.' : 'it never runs again.'}</p>
                                    ) : (
                                        <ol class="ticks">
                                            {s.next.map((n) => (
                                                <li key={n}>
                                                    <time dateTime={n}>{time(n)}</time>{' '}
                                                    <span class="muted">
                                                        <When at={n} />
                                                    </span>
                                                </li>
                                            ))}
                                        </ol>
                                    )}
                                </Card>
                                {data && write(data) !== 'null' && (
                                    <Card title="Data">
                                        <Tree json={data} label="Data" />
                                    </Card>
                                )}
                                {has('search') && <Ran queue={queue} name={name} />}
                            </div>
                            <aside aria-label="About this schedule">
                                <Card title="Details">
                                    <Facts
                                        items={[
                                            [
                                                'Queue',
                                                <>
                                                    <QueueLink name={s.queue} />
                                                    {s.tier > 0 && ` tier ${s.tier}`}
                                                </>,
                                            ],
                                            ['Task', s.action ?? 'unnamed'],
                                            ['Priority', s.priority ?? 'normal'],
                                            ['Last run', <When at={s.last_at} empty="never" />],
                                            ['Attempts', s.max_attempts ?? 'as the queue'],
                                            ['Created', <When at={s.created_at} />],
                                            ['Changed', <When at={s.updated_at} />],
                                            ['Version', s.version],
                                        ]}
                                    />
                                </Card>
                            </aside>
                        </div>
                    </>
                );
            }}
        </Show>
    );
}

function Ran({ queue, name }: { queue: string; name: string }): JSX.Element {
    const list = useLoad(`ran ${queue} ${name}`, (s) => search({ queue, schedule: name, state: [], tag: [] }, null, s, 10), 5000);
    return (
        <Card title="History" flush actions={<a href={href(['tasks'], { queue, schedule: name })}>All its tasks</a>}>
            <Show of={list} what="Its tasks">
                {(p) =>
                    p.tasks.length === 0 ? (
                        <Empty title="It has created no task yet" icon="schedules" />
                    ) : (
                        <Table label="Its last tasks" minimal head={['Task', 'State', 'Created', 'Finished']}>
                            {p.tasks.map((t) => (
                                <tr key={t.id}>
                                    <th scope="row">
                                        <TaskLink id={t.id} />
                                    </th>
                                    <td>
                                        <Badge state={t.state} />
                                    </td>
                                    <td>
                                        <When at={t.created_at} />
                                    </td>
                                    <td>
                                        <When at={t.finished_at} />
                                    </td>
                                </tr>
                            ))}
                        </Table>
                    )
                }
            </Show>
            <p class="foot muted">{list.data ? plural(list.data.total.count, 'task') : ''}</p>
        </Card>
    );
}
