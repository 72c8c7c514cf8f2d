import type { JSX } from 'preact';
import { get, path, send } from '../lib/api';
import { commands } from '../lib/commands';
import { duration, time } from '../lib/format';
import { useLoad } from '../lib/load';
import { address, go, href, place } from '../lib/router';
import { canChange, has } from '../lib/session';
import type { Callback } from '../lib/types';
import { Badge, Button, Card, Empty, Head, Show, TaskLink, When } from '../ui/basics';
import { ask } from '../ui/dialog';
import { TextFilter } from '../ui/filter';

/** The callbacks of a task: each is looked up by the task that it reports. */
export function CallbacksPage(): JSX.Element {
    const id = place.value.query.get('task') ?? '';
    return (
        <>
            <Head title="Callbacks" sub="Results that are posted to their receivers: every try, and what was answered." />
            <div class="filter-line">
                <TextFilter long label="Task id" value={id} change={(v) => go(href(['callbacks'], { task: v }))} />
            </div>
            {id ? (
                <>
                    <p class="lead">
                        Callbacks of task <TaskLink id={id} full />:
                    </p>
                    <TaskCallbacks key={id} id={id} over alone />
                </>
            ) : (
                <Empty title="Enter the id of a task" icon="callbacks">
                    <p>
                        A task with a <code>callback_url</code> posts its result when it completes. Its page shows the tries too.
                    </p>
                </Empty>
            )}
        </>
    );
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
