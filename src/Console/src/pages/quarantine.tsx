import type { JSX } from 'preact';
import { call, get, path, send } from '../lib/api';
import { commands } from '../lib/commands';
import { count } from '../lib/format';
import { overview } from '../lib/live';
import { useLoad } from '../lib/load';
import { address, go, href, place } from '../lib/router';
import { canChange } from '../lib/session';
import type { QuarantineItem } from '../lib/types';
import { Button, Card, Empty, Head, QueueLink, Show, TaskLink, When } from '../ui/basics';
import { Pager, Table } from '../ui/list';
import { ask } from '../ui/dialog';
import { TextFilter } from '../ui/filter';

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-/i;

/** What cannot be processed, and why. */
export function QuarantinePage(): JSX.Element {
    const query = place.value.query;
    const [kind, queue, after] = [query.get('kind') ?? '', query.get('queue') ?? '', query.get('after')];
    const search = new URLSearchParams({ limit: '50', ...(kind && { kind }), ...(queue && { queue }), ...(after && { after }) });
    const list = useLoad(
        `quarantine ${search}`,
        (s) => get<{ items: QuarantineItem[]; next: number | null }>(`/quarantine?${search}`, s),
        after ? null : 5000,
    );
    const admin = canChange('admin');
    return (
        <>
            <Head
                title="Quarantine"
                sub="Items that failed again and again in the server itself. They wait here until they are released or dropped."
            />
            <div class="filter-line">
                <TextFilter label="Kind" value={kind} change={(v) => go(href(['quarantine'], { kind: v, queue }))} />
                <TextFilter
                    label="Queue"
                    value={queue}
                    list={(overview.value?.queues ?? []).map((q) => q.queue)}
                    change={(v) => go(href(['quarantine'], { kind, queue: v }))}
                />
            </div>
            <Show of={list} what="The quarantine">
                {(page) =>
                    page.items.length === 0 ? (
                        <Empty title="Nothing is quarantined" icon="check">
                            <p>That is how it should be. Items that the server cannot process would be listed here.</p>
                        </Empty>
                    ) : (
                        <Card flush>
                            <Table
                                label="Quarantined items"
                                head={[
                                    'Item',
                                    'Reason',
                                    { name: 'Queue', class: 'wide' },
                                    'Since',
                                    { name: 'Times', class: 'num wide' },
                                    ...(admin ? [''] : []),
                                ]}
                            >
                                {page.items.map((item) => (
                                    <tr key={String(item.id)}>
                                        <th scope="row">
                                            {item.kind}
                                            <span class="under">
                                                {uuid.test(item.subject) ? (
                                                    <TaskLink id={item.subject} />
                                                ) : (
                                                    <span class="mono breakable">{item.subject}</span>
                                                )}
                                            </span>
                                        </th>
                                        <td class="breakable">{item.reason}</td>
                                        <td class="wide">{item.queue ? <QueueLink name={item.queue} /> : '–'}</td>
                                        <td>
                                            <When at={item.at} />
                                        </td>
                                        <td class="num wide">{count(item.count)}</td>
                                        {admin && (
                                            <td class="row-actions">
                                                <Verbs item={item} reload={list.reload} />
                                            </td>
                                        )}
                                    </tr>
                                ))}
                            </Table>
                            <div class="foot">
                                <Pager
                                    first={!after}
                                    next={page.next !== null}
                                    shown={`${page.items.length} on this page`}
                                    onFirst={() => go(href(['quarantine'], { kind, queue }))}
                                    onNext={() => go(href(['quarantine'], { kind, queue, after: String(page.next) }))}
                                />
                            </div>
                        </Card>
                    )
                }
            </Show>
        </>
    );
}

function Verbs({ item, reload }: { item: QuarantineItem; reload: () => void }): JSX.Element {
    const id = String(item.id);
    return (
        <>
            <Button
                icon="retry"
                label={`Release ${item.kind} ${id}`}
                onClick={() =>
                    ask({
                        title: `Release this ${item.kind}?`,
                        text: 'It is processed again. If it still fails, it comes back.',
                        confirm: 'Release',
                        commands: commands('POST', address(`quarantine/${id}/release`), ['quarantine', 'release', id]),
                        run: async () => {
                            await send('POST', path`/quarantine/${id}/release`);
                            return 'It was released.';
                        },
                        done: reload,
                    })
                }
            >
                Release
            </Button>
            <Button
                kind="danger"
                icon="trash"
                label={`Drop ${item.kind} ${id}`}
                onClick={() =>
                    ask({
                        title: `Drop this ${item.kind}?`,
                        text: 'It is given up: a task is cancelled, a batch fails. This cannot be undone.',
                        confirm: 'Drop',
                        danger: true,
                        commands: commands('DELETE', address(`quarantine/${id}`), ['quarantine', 'drop', id]),
                        run: async () => {
                            await call('DELETE', path`/quarantine/${id}`);
                            return 'It was dropped.';
                        },
                        done: reload,
                    })
                }
            >
                Drop
            </Button>
        </>
    );
}
