import type { JSX } from 'preact';
import { call, get, path, send } from '../lib/api';
import { commands } from '../lib/commands';
import { plural } from '../lib/format';
import { useLoad } from '../lib/load';
import { address, go, href, place } from '../lib/router';
import { canChange, has } from '../lib/session';
import type { Worker } from '../lib/types';
import { Badge, Bar, Button, Card, Empty, Head, QueueLink, Show, When } from '../ui/basics';
import { Pager, Table } from '../ui/list';
import { ask } from '../ui/dialog';
import { Choice } from '../ui/filter';

/** The workers that were heard of, and what became of the tasks of those that were lost. */
export function WorkersPage(): JSX.Element {
    const query = place.value.query;
    const state = query.get('state') ?? '';
    const cursor = query.get('cursor');
    const search = new URLSearchParams({ limit: '100', ...(cursor && { cursor }) });
    const list = useLoad(
        `workers ${search}`,
        (s) => get<{ workers: Worker[]; next_cursor: string | null }>(`/workers?${search}`, s),
        3000,
    );
    return (
        <>
            <Head title="Workers" sub="Who takes tasks: each is known by its claims, heartbeats and reports." />
            <div class="filter-line">
                <Choice
                    label="State"
                    value={state}
                    options={[['', 'any'], 'active', 'draining', 'lost', 'stopped']}
                    change={(v) => go(href(['workers'], { state: v }))}
                />
            </div>
            <Show of={list} what="The workers">
                {(page) => {
                    const shown = page.workers.filter((w) => !state || w.state === state);
                    return shown.length === 0 ? (
                        <Empty title={state ? `No ${state} worker` : 'No workers yet'} icon="workers">
                            <p>
                                A worker appears when it claims its first task. The samples folder has workers in .NET, Python and
                                JavaScript.
                            </p>
                        </Empty>
                    ) : (
                        <Card flush>
                            <Table
                                label="Workers"
                                head={[
                                    'Worker',
                                    'State',
                                    'Queues',
                                    { name: 'Load', class: '' },
                                    { name: 'Seen', class: '' },
                                    { name: 'Since', class: 'wide' },
                                    { name: 'Over', class: 'wide' },
                                    ...(canChange('admin') ? [''] : []),
                                ]}
                            >
                                {shown.map((w) => (
                                    <tr key={w.id}>
                                        <th scope="row">
                                            {has('search') ? <a href={href(['tasks'], { worker: w.name })}>{w.name}</a> : w.name}
                                            <span class="under">
                                                {[w.host, w.version && `version ${w.version}`, w.owner].filter(Boolean).join(' · ')}
                                            </span>
                                        </th>
                                        <td>
                                            <Badge state={w.state} />
                                            {w.lost_tasks && w.lost_tasks.retried + w.lost_tasks.failed > 0 && (
                                                <span class="under">
                                                    {plural(w.lost_tasks.retried, 'task')} retried, {w.lost_tasks.failed} failed
                                                </span>
                                            )}
                                        </td>
                                        <td>
                                            {w.queues.slice(0, 4).map((q, i) => (
                                                <span key={q}>
                                                    {i > 0 && ', '}
                                                    <QueueLink name={q} />
                                                </span>
                                            ))}
                                            {w.queues.length > 4 && ` and ${w.queues.length - 4} more`}
                                        </td>
                                        <td>
                                            {w.slots ? (
                                                <span class="load">
                                                    <Bar
                                                        done={w.running}
                                                        total={w.slots}
                                                        label={`${w.running} of ${w.slots} slots used`}
                                                    />
                                                    {w.running}/{w.slots}
                                                </span>
                                            ) : (
                                                `${w.running} running`
                                            )}
                                        </td>
                                        <td>
                                            <When at={w.last_seen_at} />
                                        </td>
                                        <td class="wide">
                                            <When at={w.started_at} />
                                        </td>
                                        <td class="wide">{w.transport.replaceAll('_', ' ')}</td>
                                        {canChange('admin') && (
                                            <td class="row-actions">
                                                <Verb w={w} reload={list.reload} />
                                            </td>
                                        )}
                                    </tr>
                                ))}
                            </Table>
                            <div class="foot">
                                <Pager
                                    first={!cursor}
                                    next={page.next_cursor !== null}
                                    shown={plural(shown.length, 'worker')}
                                    onFirst={() => go(href(['workers'], { state }))}
                                    onNext={() => go(href(['workers'], { state, cursor: page.next_cursor }))}
                                />
                            </div>
                        </Card>
                    );
                }}
            </Show>
        </>
    );
}

function Verb({ w, reload }: { w: Worker; reload: () => void }): JSX.Element | null {
    if (w.state === 'active') {
        return (
            <Button
                label={`Drain ${w.name}`}
                onClick={() =>
                    ask({
                        title: `Drain ${w.name}?`,
                        text: 'It finishes its tasks and claims no more. It hears of this with its next claim or heartbeat.',
                        confirm: 'Drain worker',
                        commands: commands('POST', address(`workers/${encodeURIComponent(w.id)}/drain`), ['workers', 'drain', w.id]),
                        run: async () => {
                            await send('POST', path`/workers/${w.id}/drain`);
                            return `${w.name} drains.`;
                        },
                        done: reload,
                    })
                }
            >
                Drain
            </Button>
        );
    }
    if (w.state !== 'lost' && w.state !== 'stopped') return null;
    return (
        <Button
            kind="ghost"
            label={`Forget ${w.name}`}
            onClick={() =>
                ask({
                    title: `Forget ${w.name}?`,
                    text: 'It disappears from this list until it is heard of again.',
                    confirm: 'Forget worker',
                    commands: commands('DELETE', address(`workers/${encodeURIComponent(w.id)}`), null),
                    run: async () => {
                        await call('DELETE', path`/workers/${w.id}`);
                        return `${w.name} was forgotten.`;
                    },
                    done: reload,
                })
            }
        >
            Forget
        </Button>
    );
}
