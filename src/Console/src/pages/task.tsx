import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { getLossless, path, send } from '../lib/api';
import { commands, type Commands } from '../lib/commands';
import { duration, seconds } from '../lib/format';
import { now } from '../lib/live';
import { useLoad } from '../lib/load';
import { address, go, href } from '../lib/router';
import { canChange, has, session } from '../lib/session';
import type { TaskDetails } from '../lib/types';
import { isNull, member, toValue, write, type Json } from '../json/lossless';
import { Tree } from '../json/tree';
import { Badge, Button, Card, Copy, Facts, Head, Notice, QueueLink, Show, TaskLink, When } from '../ui/basics';
import { ask, CommandLines } from '../ui/dialog';
import { TaskCallbacks } from './callbacks';
import { Attempts, History, Lineage, Logs, WhyBanner } from './task-parts';

const ended = ['completed', 'failed', 'cancelled', 'expired'];

interface Loaded {
    task: TaskDetails;
    json: Json;
}

async function load(id: string, signal: AbortSignal): Promise<Loaded> {
    const json = await getLossless(path`/tasks/${id}`, signal);
    return { json, task: toValue(json) as TaskDetails };
}

/** A task: where it is, how it came there, what it carries, and what can be done. */
export function TaskPage({ id }: { id: string }): JSX.Element {
    const [over, setOver] = useState(false);
    const loaded = useLoad(
        `task ${id}`,
        async (s) => {
            const result = await load(id, s);
            setOver(ended.includes(result.task.status));
            return result;
        },
        over ? 10_000 : 1500,
    );
    return (
        <Show of={loaded} what={`Task ${id}`} above={{ name: 'Tasks', to: href(['tasks']) }}>
            {({ task, json }) => <Details task={task} json={json} reload={loaded.reload} />}
        </Show>
    );
}

function Details({ task, json, reload }: Loaded & { reload: () => void }): JSX.Element {
    const isOver = ended.includes(task.status);
    return (
        <>
            <Head
                crumb={{ name: 'Tasks', to: href(['tasks']) }}
                title={
                    <>
                        {task.name ?? 'Task'} <Badge state={task.status} />
                    </>
                }
                sub={
                    <span class="mono breakable">
                        {task.id} <Copy text={task.id} label="Copy the id" />
                    </span>
                }
            >
                <Actions task={task} reload={reload} />
            </Head>
            <WhyBanner task={task} over={isOver} />
            {task.error && (
                <Notice tone="bad" icon="failures">
                    <strong>{task.status === 'failed' ? 'It failed' : 'The last attempt failed'}.</strong>{' '}
                    <span class="breakable">{task.error}</span>
                    {task.dead_letter && <small>It is kept as a dead letter of its queue.</small>}
                </Notice>
            )}
            <div class="columns two">
                <div>
                    <Card title="Timeline">
                        <History task={task} />
                    </Card>
                    <Card title="Attempts" flush>
                        <Attempts task={task} />
                    </Card>
                    {has('logs') && <Logs id={task.id} over={isOver} />}
                    <Data task={task} json={json} />
                    <TaskCallbacks id={task.id} over={isOver} />
                </div>
                <aside aria-label="About this task">
                    <Card title="Details">
                        <About task={task} />
                    </Card>
                    {has('lineage') && <Lineage id={task.id} />}
                    <Card title="From a terminal">
                        <CommandLines commands={show(task.id)} open />
                    </Card>
                </aside>
            </div>
        </>
    );
}

const show = (id: string): Commands => commands('GET', address(`tasks/${id}`), ['show', id]);

function About({ task }: { task: TaskDetails }): JSX.Element {
    const ran = task.started_at && seconds(task.started_at, task.finished_at ?? now.value);
    return (
        <Facts
            items={[
                [
                    'Queue',
                    <>
                        <QueueLink name={task.queue} />
                        {task.tier > 0 && ` tier ${task.tier}`}
                    </>,
                ],
                ['Priority', task.priority],
                ['Attempt', `${task.attempt} of ${task.max_attempts}`],
                ...(task.worker
                    ? [['Worker', <a href={href(['tasks'], { worker: task.worker })}>{task.worker}</a>] as [string, JSX.Element]]
                    : []),
                ['Created', <When at={task.created_at} />],
                ...(task.due_at !== task.created_at ? [['Due', <When at={task.due_at} />] as [string, JSX.Element]] : []),
                ['Started', <When at={task.started_at} empty="not yet" />],
                ['Finished', <When at={task.finished_at} empty="not yet" />],
                ...(ran ? [['Last run', duration(ran)] as [string, string]] : []),
                ...(task.expires_at ? [['Expires', <When at={task.expires_at} />] as [string, JSX.Element]] : []),
                ...(task.lease_until ? [['Lease until', <When at={task.lease_until} />] as [string, JSX.Element]] : []),
                ...(task.ordering_key
                    ? [
                          [
                              'Ordering key',
                              <a class="mono breakable" href={href(['tasks'], { ordering_key: task.ordering_key })}>
                                  {task.ordering_key}
                              </a>,
                          ] as [string, JSX.Element],
                      ]
                    : []),
                ...(task.dedupe_key
                    ? [['Dedupe key', <span class="mono breakable">{task.dedupe_key}</span>] as [string, JSX.Element]]
                    : []),
                ...(task.batch_id
                    ? [
                          [
                              'Batch',
                              <a class="mono breakable" href={href(['batches', task.batch_id])}>
                                  {task.batch_id}
                              </a>,
                          ] as [string, JSX.Element],
                      ]
                    : []),
                ...(task.schedule
                    ? [
                          ['Schedule', <a href={href(['schedules', task.queue, task.schedule])}>{task.schedule}</a>] as [
                              string,
                              JSX.Element,
                          ],
                      ]
                    : []),
                ...(task.tags?.length
                    ? [
                          [
                              'Tags',
                              <>
                                  {task.tags.map((tag) => (
                                      <a key={tag} class="tag" href={href(['tasks'], { tag })}>
                                          {tag}
                                      </a>
                                  ))}
                              </>,
                          ] as [string, JSX.Element],
                      ]
                    : []),
                ...(task.owner ? [['Owner', task.owner] as [string, string]] : []),
            ]}
        />
    );
}

function Data({ task, json }: { task: TaskDetails; json: Json }): JSX.Element {
    const payload = member(json, 'payload');
    const result = member(json, 'result');
    const progress = member(json, 'progress');
    const hidden = session.value?.can_see_payloads === false;
    return (
        <>
            <Card title="Payload">
                {hidden ? (
                    <p class="muted">Payloads and results are hidden from this console.</p>
                ) : isNull(payload) ? (
                    <p class="muted">It carries no data.</p>
                ) : (
                    <Tree json={payload!} label="Payload" />
                )}
            </Card>
            {!hidden && !isNull(progress) && task.status === 'running' && (
                <Card title="Progress">
                    <Tree json={progress!} label="Progress" />
                </Card>
            )}
            {!hidden && !isNull(result) && (
                <Card title="Result" actions={<Size json={result!} />}>
                    <Tree json={result!} label="Result" />
                </Card>
            )}
        </>
    );
}

const Size = ({ json }: { json: Json }): JSX.Element => <span class="muted">{write(json).length} characters</span>;

function Actions({ task, reload }: { task: TaskDetails; reload: () => void }): JSX.Element | null {
    if (!canChange()) return null;
    const { id, status } = task;
    const change = (verb: 'retry' | 'cancel', title: string, text: string, said: string): void =>
        ask({
            title,
            text: (
                <>
                    <p>{text}</p>
                    <p>
                        Task <TaskLink id={id} />
                    </p>
                </>
            ),
            confirm: verb === 'retry' ? 'Retry task' : 'Cancel task',
            danger: verb === 'cancel',
            commands: commands('POST', address(`tasks/${id}/${verb}`), [verb, id]),
            run: async () => {
                await send('POST', path`/tasks/${id}/${verb}`);
                return said;
            },
            done: reload,
        });
    return (
        <>
            {['failed', 'cancelled', 'expired'].includes(status) && (
                <Button
                    kind="primary"
                    icon="retry"
                    onClick={() =>
                        change(
                            'retry',
                            'Retry this task?',
                            'It waits in its queue again, with all its attempts.',
                            'The task waits again.',
                        )
                    }
                >
                    Retry
                </Button>
            )}
            {!ended.includes(status) && (
                <Button
                    icon="close"
                    onClick={() =>
                        change(
                            'cancel',
                            'Cancel this task?',
                            status === 'running' ? 'Its worker is told to stop; what it reports later is ignored.' : 'It will not run.',
                            'The task was cancelled.',
                        )
                    }
                >
                    Cancel
                </Button>
            )}
            <Button
                kind="danger"
                icon="trash"
                onClick={() =>
                    ask({
                        title: 'Delete this task?',
                        text: 'Its payload, result and timeline are deleted. This cannot be undone.',
                        confirm: 'Delete task',
                        danger: true,
                        commands: commands('DELETE', address(`tasks/${id}`), null),
                        run: async () => {
                            await send('DELETE', path`/tasks/${id}`);
                            go(href(['tasks']));
                            return 'The task was deleted.';
                        },
                    })
                }
            >
                Delete
            </Button>
        </>
    );
}
