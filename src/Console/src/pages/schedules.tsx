import { Verbs } from './schedule-verbs';
import type { JSX } from 'preact';
import { get, path } from '../lib/api';
import { inWords } from '../lib/cron';
import { plural } from '../lib/format';
import { overview } from '../lib/live';
import { useLoad } from '../lib/load';
import { address, go, href, place } from '../lib/router';
import { canChange, has } from '../lib/session';
import type { Queue, Schedule } from '../lib/types';

import { Badge, Card, Empty, Head, Notice, QueueLink, Show, When } from '../ui/basics';
import { Pager, Table } from '../ui/list';
import { TextFilter } from '../ui/filter';

const most = 40;

interface SchedulesOf {
    schedules: Schedule[];
    next_cursor: string | null;
    left: number;
}

/** A page of all schedules; of a server without that list, those of its first queues: a few requests at a time. */
async function load(queue: string, cursor: string | null, signal: AbortSignal): Promise<SchedulesOf> {
    if (has('schedules')) {
        const search = new URLSearchParams({ limit: '50', ...(queue && { queue }), ...(cursor && { cursor }) });
        return { ...(await get<SchedulesOf>(`/schedules?${search}`, signal)), left: 0 };
    }
    const names = queue ? [queue] : (await get<{ queues: Queue[] }>('/queues', signal)).queues.map((q) => q.name);
    const schedules: Schedule[] = [];
    for (let i = 0; i < Math.min(most, names.length); i += 4) {
        const read = names.slice(i, Math.min(i + 4, most));
        const lists = await Promise.all(read.map((n) => get<{ schedules: Schedule[] }>(path`/queues/${n}/schedules`, signal)));
        for (const l of lists) schedules.push(...l.schedules);
    }
    return { schedules, next_cursor: null, left: Math.max(0, names.length - most) };
}

export function SchedulesPage(): JSX.Element {
    const queue = place.value.query.get('queue') ?? '';
    const cursor = place.value.query.get('cursor');
    const list = useLoad(`schedules ${queue} ${cursor}`, (s) => load(queue, cursor, s), 15_000);
    const names = (overview.value?.queues ?? []).map((q) => q.queue);
    return (
        <>
            <Head title="Schedules" sub="Tasks that are created by the clock." />
            <div class="filter-line">
                <TextFilter label="Queue" value={queue} list={names} change={(v) => go(href(['schedules'], { queue: v }))} />
            </div>
            <Show of={list} what="The schedules">
                {({ schedules, left, next_cursor }) => (
                    <>
                        {left > 0 && (
                            <Notice>
                                These are the schedules of the first {most} queues. Choose a queue to see those of the others.
                            </Notice>
                        )}
                        {schedules.length === 0 ? (
                            <Empty title="No schedules" icon="schedules">
                                <p>A schedule belongs to a queue:</p>
                                <p>
                                    <code>
                                        curl -X PUT {address('queues/mails/schedules/digest')} -d '
                                        {'{"cron": "0 8 * * 1-5", "action": "digest"}'}'
                                    </code>
                                </p>
                            </Empty>
                        ) : (
                            <Card flush>
                                <Table
                                    label="Schedules"
                                    head={[
                                        'Schedule',
                                        'When',
                                        'Queue',
                                        'Next',
                                        { name: 'Last', class: 'wide' },
                                        ...(canChange('admin') ? [''] : []),
                                    ]}
                                >
                                    {schedules.map((s) => (
                                        <tr key={`${s.queue} ${s.name}`}>
                                            <th scope="row">
                                                <a class="task-name" href={href(['schedules', s.queue, s.name])}>
                                                    {s.name}
                                                </a>{' '}
                                                {s.paused && <Badge state="paused" />}
                                                {s.problem && <span class="under bad-text">{s.problem}</span>}
                                                {s.description && <span class="under clip">{s.description}</span>}
                                            </th>
                                            <td>
                                                {inWords(s.cron)}
                                                <span class="under">
                                                    <code>{s.cron}</code> {s.time_zone}
                                                </span>
                                            </td>
                                            <td>
                                                <QueueLink name={s.queue} />
                                            </td>
                                            <td>{s.paused ? '–' : <When at={s.next[0]} />}</td>
                                            <td class="wide">
                                                <When at={s.last_at} empty="never" />
                                            </td>
                                            {canChange('admin') && (
                                                <td class="row-actions">
                                                    <Verbs s={s} reload={list.reload} />
                                                </td>
                                            )}
                                        </tr>
                                    ))}
                                </Table>
                                <div class="foot">
                                    <Pager
                                        first={!cursor}
                                        next={next_cursor !== null}
                                        firstName="First"
                                        nextName="Next"
                                        shown={plural(schedules.length, 'schedule')}
                                        onFirst={() => go(href(['schedules'], { queue }))}
                                        onNext={() => go(href(['schedules'], { queue, cursor: next_cursor }))}
                                    />
                                </div>
                            </Card>
                        )}
                    </>
                )}
            </Show>
        </>
    );
}
