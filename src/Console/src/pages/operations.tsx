import type { JSX } from 'preact';
import { get, path, send } from '../lib/api';
import { commands } from '../lib/commands';
import { count } from '../lib/format';
import { useLoad } from '../lib/load';
import { address, go, href, place } from '../lib/router';
import { canChange } from '../lib/session';
import type { Operation } from '../lib/types';
import { Badge, Bar, Button, Card, Empty, Head, Show, When } from '../ui/basics';
import { Pager, Table } from '../ui/list';
import { ask } from '../ui/dialog';

/** Changes of many tasks at once: how far they are. */
export function OperationsPage(): JSX.Element {
    const chosen = place.value.query.get('id');
    const cursor = place.value.query.get('cursor');
    const search = new URLSearchParams({ limit: '50', ...(cursor && { cursor }) });
    const list = useLoad(
        `operations ${search}`,
        (s) => get<{ operations: Operation[]; next_cursor: string | null }>(`/operations?${search}`, s),
        2000,
    );
    return (
        <>
            <Head title="Operations" sub="Retries, cancellations and deletions of many tasks, which run in the background." />
            <Show of={list} what="The operations">
                {(page) =>
                    page.operations.length === 0 ? (
                        <Empty title="No operations" icon="operations">
                            <p>
                                Select tasks on the page <a href={href(['tasks'])}>Tasks</a>, or all that match a search.
                            </p>
                        </Empty>
                    ) : (
                        <Card flush>
                            <Table
                                label="Operations"
                                head={[
                                    'Operation',
                                    'State',
                                    'Progress',
                                    { name: 'Skipped', class: 'num wide' },
                                    { name: 'Failed', class: 'num wide' },
                                    'Created',
                                    ...(canChange() ? [''] : []),
                                ]}
                            >
                                {page.operations.map((o) => (
                                    <tr key={o.id} class={o.id === chosen ? 'chosen' : ''}>
                                        <th scope="row">
                                            {o.action}
                                            <span class="under mono">{o.id}</span>
                                        </th>
                                        <td>
                                            <Badge state={o.state} />
                                        </td>
                                        <td>
                                            <span class="load">
                                                <Bar
                                                    done={o.done + o.skipped + o.failed}
                                                    total={o.total?.count ?? 0}
                                                    label={`${o.done} of ${o.total?.count ?? 0} done`}
                                                />
                                                {count(o.done)}
                                                {o.total && `/${o.total.exact ? '' : '~'}${count(o.total.count)}`}
                                            </span>
                                        </td>
                                        <td class="num wide">{count(o.skipped)}</td>
                                        <td class={o.failed ? 'num wide bad-text' : 'num wide'}>{count(o.failed)}</td>
                                        <td>
                                            <When at={o.created_at} />
                                            {o.created_by && <span class="under">{o.created_by}</span>}
                                        </td>
                                        {canChange() && (
                                            <td class="row-actions">
                                                <Verbs o={o} reload={list.reload} />
                                            </td>
                                        )}
                                    </tr>
                                ))}
                            </Table>
                            <div class="foot">
                                <Pager
                                    first={!cursor}
                                    next={page.next_cursor !== null}
                                    shown={`${page.operations.length} on this page`}
                                    onFirst={() => go(href(['operations']))}
                                    onNext={() => go(href(['operations'], { cursor: page.next_cursor }))}
                                />
                            </div>
                        </Card>
                    )
                }
            </Show>
        </>
    );
}

const texts: Record<string, string> = {
    pause: 'No more tasks are changed until it is resumed.',
    resume: 'The remaining tasks are changed.',
    cancel: 'What was changed stays; the rest is left alone.',
    undo: 'What can be undone is put back as it was before.',
};

function Verbs({ o, reload }: { o: Operation; reload: () => void }): JSX.Element {
    const verbs = [
        ...(o.state === 'running' || o.state === 'planned' ? ['pause', 'cancel'] : o.state === 'paused' ? ['resume', 'cancel'] : []),
        ...(o.can_undo ? ['undo'] : []),
    ];
    return (
        <>
            {verbs.map((verb) => (
                <Button
                    key={verb}
                    label={`${verb} operation ${o.id}`}
                    onClick={() =>
                        ask({
                            title: `${verb[0]!.toUpperCase()}${verb.slice(1)} this operation?`,
                            text: texts[verb]!,
                            confirm: `${verb[0]!.toUpperCase()}${verb.slice(1)} operation`,
                            danger: verb === 'cancel',
                            commands: commands('POST', address(`operations/${o.id}/${verb}`), ['operations', verb, o.id]),
                            run: async () => void (await send('POST', path`/operations/${o.id}` + `/${verb}`)),
                            done: reload,
                        })
                    }
                >
                    {verb[0]!.toUpperCase() + verb.slice(1)}
                </Button>
            ))}
        </>
    );
}
