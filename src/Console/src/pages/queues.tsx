import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { get, path, send } from '../lib/api';
import { commands } from '../lib/commands';
import { drainText } from '../lib/estimate';
import { count, duration, plural, rate } from '../lib/format';
import { overview } from '../lib/live';
import { useLoad } from '../lib/load';
import { address, go, href } from '../lib/router';
import { canChange } from '../lib/session';
import type { Overview, Queue, QueueOverview } from '../lib/types';
import { Badge, Button, Card, Empty, Head, QueueLink, Show } from '../ui/basics';
import { Table } from '../ui/list';
import { ask, Dialog } from '../ui/dialog';

interface Row {
    name: string;
    q: Queue | null;
    live: QueueOverview | null;
}

async function load(signal: AbortSignal): Promise<{ queues: Queue[]; overview: Overview | null }> {
    const { queues } = await get<{ queues: Queue[] }>('/queues', signal);
    return { queues, overview: overview.value ?? (await get<Overview>('/console/overview', signal)) };
}

/** Declared queues, and those that only have tasks. */
function rows(queues: Queue[], live: Overview | null): Row[] {
    const all = new Map<string, Row>(queues.map((q) => [q.name, { name: q.name, q, live: null }]));
    for (const q of live?.queues ?? []) all.set(q.queue, { name: q.queue, q: all.get(q.queue)?.q ?? null, live: q });
    return [...all.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** All queues that the caller sees. */
export function QueuesPage(): JSX.Element {
    const list = useLoad('queues', load, 5000);
    const [text, setText] = useState('');
    const [creating, setCreating] = useState(false);
    return (
        <>
            <Head title="Queues" sub="Their backlog, their limits, and whether they hand out tasks.">
                {canChange('admin') && (
                    <Button kind="primary" icon="plus" onClick={() => setCreating(true)}>
                        Declare a queue
                    </Button>
                )}
            </Head>
            {creating && <Create close={() => setCreating(false)} />}
            <Show of={list} what="The queues">
                {(data) => {
                    const queues = rows(data.queues, overview.value ?? data.overview);
                    const shown = queues.filter((q) => q.name.toLowerCase().includes(text.toLowerCase()));
                    return queues.length === 0 ? (
                        <Empty title="No queues yet" icon="queues">
                            <p>A queue appears with its first task, or is declared with its limits.</p>
                        </Empty>
                    ) : (
                        <>
                            <p class="field search-field">
                                <label class="hidden" for="page-search">
                                    Filter queues
                                </label>
                                <input
                                    id="page-search"
                                    class="input"
                                    type="search"
                                    placeholder="Filter by name"
                                    value={text}
                                    onInput={(e) => setText(e.currentTarget.value)}
                                />
                            </p>
                            <Card flush>
                                <Table
                                    label="Queues"
                                    head={[
                                        'Queue',
                                        'State',
                                        { name: 'Waiting', class: 'num' },
                                        { name: 'Running', class: 'num' },
                                        { name: 'Oldest', class: 'num' },
                                        { name: 'Out/s', class: 'num' },
                                        { name: 'Time to drain', class: 'wide' },
                                        { name: 'Limits', class: 'wide' },
                                        ...(canChange('admin') ? [''] : []),
                                    ]}
                                >
                                    {shown.slice(0, 500).map(({ name, q, live }) => (
                                        <tr key={name}>
                                            <th scope="row">
                                                <QueueLink name={name} />
                                                {q?.description && <span class="under clip">{q.description}</span>}
                                            </th>
                                            <td>
                                                {(live?.paused ?? q?.paused) ? (
                                                    <Badge state="paused" />
                                                ) : q?.created_at ? (
                                                    <Badge state="active">open</Badge>
                                                ) : (
                                                    <Badge state="undeclared" />
                                                )}
                                            </td>
                                            <td class="num">{count(live?.waiting)}</td>
                                            <td class="num">{count(live?.running)}</td>
                                            <td class="num">{live?.oldest_age_seconds ? duration(live.oldest_age_seconds) : '–'}</td>
                                            <td class="num">{live ? rate(live.out_per_second) : '–'}</td>
                                            <td class="wide">
                                                {live
                                                    ? drainText(
                                                          live.waiting,
                                                          live.drain_seconds,
                                                          live.paused,
                                                          live.out_per_second !== null,
                                                      )
                                                    : '–'}
                                            </td>
                                            <td class="wide">{q ? limits(q) : 'none'}</td>
                                            {canChange('admin') && (
                                                <td class="row-actions">{q?.created_at && <PauseButton q={q} reload={list.reload} />}</td>
                                            )}
                                        </tr>
                                    ))}
                                </Table>
                                {shown.length === 0 && <Empty title="No queue has this name" icon="search" />}
                            </Card>
                        </>
                    );
                }}
            </Show>
        </>
    );
}

export function limits(q: Queue): string {
    const parts: string[] = [];
    if (q.max_running > 0) parts.push(`${count(q.max_running)} at once`);
    if (q.rate?.tokens) parts.push(`${count(q.rate.tokens)} per ${duration(q.rate.interval_seconds ?? 1)}`);
    return parts.join(', ') || 'none';
}

export function PauseButton({ q, reload }: { q: Queue; reload: () => void }): JSX.Element {
    const verb = q.paused ? 'resume' : 'pause';
    return (
        <Button
            icon={q.paused ? 'play' : 'pause'}
            label={`${q.paused ? 'Resume' : 'Pause'} ${q.name}`}
            onClick={() =>
                ask({
                    title: q.paused ? `Resume ${q.name}?` : `Pause ${q.name}?`,
                    text: q.paused
                        ? `Its tasks are handed out again: ${plural(q.counts?.waiting ?? 0, 'task')} wait.`
                        : 'No more tasks are handed out. Running ones continue, and new ones may be submitted.',
                    confirm: q.paused ? 'Resume queue' : 'Pause queue',
                    commands: commands('POST', address(`queues/${encodeURIComponent(q.name)}/${verb}`), [verb, q.name]),
                    run: async () => {
                        await send('POST', path`/queues/${q.name}/${verb}`);
                        return `${q.name} was ${q.paused ? 'resumed' : 'paused'}.`;
                    },
                    done: reload,
                })
            }
        >
            {q.paused ? 'Resume' : 'Pause'}
        </Button>
    );
}

function Create({ close }: { close: () => void }): JSX.Element {
    const [name, setName] = useState('');
    const [error, setError] = useState('');
    const submit = async (): Promise<void> => {
        try {
            const { queues } = await get<{ queues: Queue[] }>('/queues');
            if (queues.some((q) => q.name === name.trim() && q.created_at))
                throw new Error('A queue with this name is declared already.');
            await send('PUT', path`/queues/${name.trim()}`, {});
            close();
            go(href(['queues', name.trim()]));
        } catch (e) {
            setError((e as Error).message);
        }
    };
    return (
        <Dialog title="Declare a queue" onClose={close}>
            <form
                onSubmit={(e) => {
                    e.preventDefault();
                    void submit();
                }}
            >
                <div class="dialog-body">
                    <p class="field">
                        <label for="queue-name">Name</label>
                        <input
                            id="queue-name"
                            class="input"
                            value={name}
                            onInput={(e) => setName(e.currentTarget.value)}
                            autocomplete="off"
                            required
                        />
                    </p>
                    {error && (
                        <p class="bad-text" role="alert">
                            {error}
                        </p>
                    )}
                    <p class="help">It gets the default settings, which you can change on its page.</p>
                </div>
                <div class="dialog-foot">
                    <Button onClick={close}>Close</Button>
                    <Button type="submit" kind="primary" disabled={!name.trim()}>
                        Declare
                    </Button>
                </div>
            </form>
        </Dialog>
    );
}
