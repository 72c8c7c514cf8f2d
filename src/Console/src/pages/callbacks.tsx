import type { JSX } from 'preact';
import { get, path, send } from '../lib/api';
import { commands } from '../lib/commands';
import { duration, time } from '../lib/format';
import { useLoad } from '../lib/load';
import { address, go, href, place } from '../lib/router';
import { canChange, has } from '../lib/session';
import type { Callback, CallbackTry, ListedCallback } from '../lib/types';
import { Badge, Button, Card, Empty, Head, QueueLink, Show, TaskLink, When } from '../ui/basics';
import { ask } from '../ui/dialog';
import { Choice, TextFilter } from '../ui/filter';
import { Pager, Table } from '../ui/list';

/** The callbacks of all tasks, or those of one with every try. */
export function CallbacksPage(): JSX.Element {
    const query = place.value.query;
    const id = query.get('task') ?? '';
    const state = query.get('state') ?? '';
    const queue = query.get('queue') ?? '';
    const change = (next: Record<string, string>): void => go(href(['callbacks'], { task: id, state, queue, ...next }));
    return (
        <>
            <Head title="Callbacks" sub="Results that are posted to their receivers: every try, and what was answered." />
            <div class="filter-line">
                {!id && (
                    <>
                        <Choice
                            label="State"
                            value={state}
                            options={[['', 'any'], 'waiting', 'delivered', 'failed']}
                            change={(v) => change({ state: v })}
                        />
                        <TextFilter label="Queue" value={queue} change={(v) => change({ queue: v })} />
                    </>
                )}
                <TextFilter long label="Task id" value={id} change={(v) => change({ task: v })} />
            </div>
            {id ? (
                <>
                    <p class="lead">
                        Callbacks of task <TaskLink id={id} full />:
                    </p>
                    <TaskCallbacks key={id} id={id} over alone />
                </>
            ) : (
                <AllCallbacks state={state} queue={queue} cursor={query.get('cursor')} change={change} />
            )}
        </>
    );
}

/** A page may have no rows although others follow: the server looks at a bounded number of callbacks. */
function AllCallbacks({
    state,
    queue,
    cursor,
    change,
}: {
    state: string;
    queue: string;
    cursor: string | null;
    change: (next: Record<string, string>) => void;
}): JSX.Element {
    const search = new URLSearchParams({ limit: '50' });
    if (state) search.set('state', state);
    if (queue) search.set('queue', queue);
    if (cursor) search.set('cursor', cursor);
    const list = useLoad(
        `callbacks ${search}`,
        (s) => get<{ callbacks: ListedCallback[]; next_cursor: string | null }>(`/callbacks?${search}`, s),
        cursor ? null : 5000,
    );
    return (
        <Show of={list} what="The callbacks">
            {(page) =>
                page.callbacks.length === 0 && !cursor && page.next_cursor === null ? (
                    <Empty title="No callbacks" icon="callbacks">
                        <p>
                            A task with a <code>callback_url</code> posts its result when it completes. Its page shows the tries too.
                        </p>
                    </Empty>
                ) : (
                    <Card flush>
                        <Table
                            label="Callbacks"
                            head={['Task', 'Queue', 'State', { name: 'Tries', class: 'num' }, 'Last answer', { name: 'Ended', class: 'wide' }]}
                        >
                            {page.callbacks.map((c) => (
                                <tr key={c.id}>
                                    <th scope="row">
                                        <a href={href(['callbacks'], { task: c.task_id })}>{c.task_id.slice(0, 8)}</a>
                                        <span class="under clip" title={c.url}>
                                            {c.url}
                                        </span>
                                    </th>
                                    <td>{c.queue ? <QueueLink name={c.queue} /> : <span class="muted">gone</span>}</td>
                                    <td>
                                        <Badge state={c.state} />
                                        {c.due_at && (
                                            <span class="under">
                                                next <When at={c.due_at} />
                                            </span>
                                        )}
                                    </td>
                                    <td class="num">{c.attempts}</td>
                                    <td class="breakable">{lastAnswer(c.log)}</td>
                                    <td class="wide">
                                        <When at={c.created_at} />
                                    </td>
                                </tr>
                            ))}
                        </Table>
                        <div class="foot">
                            <Pager
                                first={!cursor}
                                next={page.next_cursor !== null}
                                shown={`${page.callbacks.length} callbacks on this page`}
                                onFirst={() => change({})}
                                onNext={() => change({ cursor: page.next_cursor! })}
                            />
                        </div>
                    </Card>
                )
            }
        </Show>
    );
}

/** Status or error of the last try; hidden values come as a text. */
function lastAnswer(log: CallbackTry[] | string): string {
    const last = typeof log === 'string' ? undefined : log[log.length - 1];
    return last === undefined ? '' : last.status ? String(last.status) : (last.error ?? 'no answer');
}

/** The tries of a task's callbacks; nothing when it has none, unless the page is about them. */
export function TaskCallbacks({ id, over, alone }: { id: string; over: boolean; alone?: boolean }): JSX.Element | null {
    const list = useLoad(`callbacks ${id}`, (s) => get<{ callbacks: Callback[] }>(path`/tasks/${id}/callbacks`, s), over ? 5000 : 15_000);
    if (!alone && (list.data?.callbacks.length ?? 0) === 0) return null;
    return (
        <Show of={list} what="The callbacks">
            {({ callbacks }) =>
                callbacks.length === 0 ? (
                    <Empty title="This task has no callback" icon="callbacks">
                        <p>
                            It was submitted without <code>callback_url</code>, or has not completed.
                        </p>
                    </Empty>
                ) : (
                    <>
                        {callbacks.map((c) => (
                            <Card
                                key={c.id}
                                title={
                                    <>
                                        Callback <Badge state={c.state} />
                                    </>
                                }
                                actions={<Resend id={id} c={c} reload={list.reload} />}
                            >
                                <p class="mono breakable lead">{c.url}</p>
                                {c.due_at && (
                                    <p class="muted">
                                        Next try <When at={c.due_at} />
                                    </p>
                                )}
                                {c.log.length === 0 ? (
                                    <p class="muted">It was not tried yet.</p>
                                ) : (
                                    <ol class="steps">
                                        {c.log.map((t, i) => (
                                            <li key={i} class={t.status && t.status < 300 ? 'completed' : 'failed'}>
                                                <span class="step-name">
                                                    {t.status ? `Answered ${t.status}` : (t.error ?? 'No answer')}
                                                </span>
                                                <span class="step-time">
                                                    {time(t.at, true)}
                                                    {t.duration_ms != null && <small>{duration(t.duration_ms / 1000)}</small>}
                                                </span>
                                                {t.status && t.error && <span class="step-more">{t.error}</span>}
                                            </li>
                                        ))}
                                    </ol>
                                )}
                            </Card>
                        ))}
                    </>
                )
            }
        </Show>
    );
}

function Resend({ id, c, reload }: { id: string; c: Callback; reload: () => void }): JSX.Element | null {
    if (!has('resend') || !canChange() || !c.finished_at) return null;
    return (
        <Button
            icon="retry"
            onClick={() =>
                ask({
                    title: 'Send this callback again?',
                    text: 'The receiver gets the same body with the same webhook-id.',
                    confirm: 'Send again',
                    commands: commands('POST', address(`tasks/${id}/callbacks/${c.id}/resend`), null),
                    run: async () => {
                        await send('POST', path`/tasks/${id}/callbacks/${c.id}/resend`);
                        return 'The callback is sent again.';
                    },
                    done: reload,
                })
            }
        >
            Resend
        </Button>
    );
}
