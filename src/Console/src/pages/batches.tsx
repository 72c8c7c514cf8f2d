import type { JSX } from 'preact';
import { get, path, send } from '../lib/api';
import { commands } from '../lib/commands';
import { progress } from '../lib/estimate';
import { count, duration, rate } from '../lib/format';
import { now, overview } from '../lib/live';
import { useLoad } from '../lib/load';
import { address, go, href, place } from '../lib/router';
import { canChange, has } from '../lib/session';
import type { Batch } from '../lib/types';
import { Badge, Bar, Button, Card, Copy, Empty, Facts, Head, Notice, Number, QueueLink, Show, When } from '../ui/basics';
import { Pager, Table } from '../ui/list';
import { ask } from '../ui/dialog';
import { TextFilter } from '../ui/filter';

const running = (b: Batch): boolean => !b.finished_at;
const of = (b: Batch): ReturnType<typeof progress> =>
    progress(
        b.total,
        b.done,
        b.in_progress_at ? Date.parse(b.in_progress_at) : null,
        b.finished_at ? Date.parse(b.finished_at) : now.value,
    );

export function BatchesPage(): JSX.Element {
    const queue = place.value.query.get('queue') ?? '';
    const cursor = place.value.query.get('cursor');
    const search = new URLSearchParams({ limit: '50', ...(queue && { queue }), ...(cursor && { cursor }) });
    const list = useLoad(
        `batches ${search}`,
        (s) => get<{ batches: Batch[]; next_cursor: string | null }>(`/batches?${search}`, s),
        cursor ? null : 3000,
    );
    return (
        <>
            <Head title="Batches" sub="Files whose lines are tasks: their progress, and when they will be done." />
            <div class="filter-line">
                <TextFilter
                    label="Queue"
                    value={queue}
                    list={(overview.value?.queues ?? []).map((q) => q.queue)}
                    change={(v) => go(href(['batches'], { queue: v }))}
                />
            </div>
            <Show of={list} what="The batches">
                {(page) =>
                    page.batches.length === 0 ? (
                        <Empty title="No batches" icon="batches">
                            <p>Upload a file with one request per line, and create a batch from it with OpenAI's SDK or:</p>
                            <p>
                                <code>
                                    curl {address('v1/batches')} -d '
                                    {'{"input_file_id": "…", "endpoint": "/v1/chat/completions", "completion_window": "24h"}'}'
                                </code>
                            </p>
                        </Empty>
                    ) : (
                        <Card flush>
                            <Table
                                label="Batches"
                                head={[
                                    'Batch',
                                    'State',
                                    'Progress',
                                    { name: 'Rate', class: 'num wide' },
                                    { name: 'Left', class: 'num' },
                                    { name: 'Created', class: 'wide' },
                                ]}
                            >
                                {page.batches.map((b) => {
                                    const p = of(b);
                                    return (
                                        <tr key={b.id}>
                                            <th scope="row">
                                                <a class="mono" href={href(['batches', b.id])}>
                                                    {b.id}
                                                </a>
                                                <span class="under">
                                                    <QueueLink name={b.queue} /> · {b.endpoint}
                                                </span>
                                            </th>
                                            <td>
                                                <Badge state={b.state} />
                                            </td>
                                            <td>
                                                <span class="load">
                                                    <Bar done={b.done} total={b.total} label={`${b.done} of ${b.total} done`} />
                                                    {count(b.done)}/{count(b.total)}
                                                </span>
                                                {b.failed > 0 && <span class="under bad-text">{count(b.failed)} failed</span>}
                                            </td>
                                            <td class="num wide">{p.perSecond === null ? '–' : `${rate(p.perSecond)}/s`}</td>
                                            <td class="num">
                                                {running(b) ? (p.secondsLeft === null ? '–' : `~${duration(p.secondsLeft)}`) : '–'}
                                            </td>
                                            <td class="wide">
                                                <When at={b.created_at} />
                                            </td>
                                        </tr>
                                    );
                                })}
                            </Table>
                            <div class="foot">
                                <Pager
                                    first={!cursor}
                                    next={page.next_cursor !== null}
                                    shown={`${page.batches.length} on this page`}
                                    onFirst={() => go(href(['batches'], { queue }))}
                                    onNext={() => go(href(['batches'], { queue, cursor: page.next_cursor }))}
                                />
                            </div>
                        </Card>
                    )
                }
            </Show>
        </>
    );
}

export function BatchPage({ id }: { id: string }): JSX.Element {
    const loaded = useLoad(`batch ${id}`, (s) => get<Batch>(path`/batches/${id}`, s), 2000);
    return (
        <Show of={loaded} what={`Batch ${id}`} above={{ name: 'Batches', to: href(['batches']) }}>
            {(b) => <Details b={b} reload={loaded.reload} />}
        </Show>
    );
}

function Details({ b, reload }: { b: Batch; reload: () => void }): JSX.Element {
    const p = of(b);
    return (
        <>
            <Head
                crumb={{ name: 'Batches', to: href(['batches']) }}
                title={
                    <>
                        Batch <Badge state={b.state} />
                    </>
                }
                sub={
                    <span class="mono breakable">
                        {b.id} <Copy text={b.id} label="Copy the id" />
                    </span>
                }
            >
                {has('search') && (
                    <a class="button" href={href(['tasks'], { batch: b.id })}>
                        Its tasks
                    </a>
                )}
                {canChange() && running(b) && b.state !== 'cancelling' && (
                    <Button
                        kind="danger"
                        icon="close"
                        onClick={() =>
                            ask({
                                title: 'Cancel this batch?',
                                text: 'Waiting lines are removed; running ones have a few seconds left. The files have what was done.',
                                confirm: 'Cancel batch',
                                danger: true,
                                commands: commands('POST', address(`batches/${b.id}/cancel`), null),
                                run: async () => {
                                    await send('POST', path`/batches/${b.id}/cancel`);
                                    return 'The batch is cancelled.';
                                },
                                done: reload,
                            })
                        }
                    >
                        Cancel
                    </Button>
                )}
                {canChange() && !running(b) && (b.failed > 0 || b.done < b.total) && (
                    <Button
                        onClick={() => {
                            let made = '';
                            ask({
                                title: 'Run the failed lines again?',
                                text: 'A new batch is created of the lines that failed or were not run. Invalid lines are left out.',
                                confirm: 'Create batch',
                                commands: commands('POST', address(`batches/${b.id}/retry-failed`), null),
                                run: async () => {
                                    made = (await send<Batch>('POST', path`/batches/${b.id}/retry-failed`)).id;
                                    return `The batch ${made} is created.`;
                                },
                                done: () => go(href(['batches', made])),
                            });
                        }}
                    >
                        Retry failed
                    </Button>
                )}
            </Head>
            {b.waiting_for && (
                <Notice tone="warn" icon="failures">
                    Waits for {b.waiting_for.upstream ?? 'its upstream'}: {b.waiting_for.reason}
                    {b.waiting_for.until && (
                        <>
                            {' '}
                            (until <When at={b.waiting_for.until} />)
                        </>
                    )}
                </Notice>
            )}
            <Card>
                <div class="big-bar">
                    <Bar done={b.done} total={b.total} label={`${b.done} of ${b.total} lines done`} />
                    <p>
                        <strong>{count(b.done)}</strong> of {count(b.total)} lines done
                        {b.total > 0 && `, ${Math.floor((b.done / b.total) * 100)} %`}
                    </p>
                </div>
            </Card>
            <div class="numbers">
                <Number name="Completed" value={count(b.completed)} />
                <Number name="Failed" value={count(b.failed)} tone={b.failed > 0 ? 'bad' : 'plain'} />
                <Number name="Rate" value={p.perSecond === null ? '–' : `${rate(p.perSecond)}/s`} />
                <Number
                    name={running(b) ? 'Time to end' : 'Took'}
                    value={
                        running(b)
                            ? p.secondsLeft === null
                                ? '–'
                                : `~${duration(p.secondsLeft)}`
                            : duration((Date.parse(b.finished_at!) - Date.parse(b.created_at)) / 1000)
                    }
                />
            </div>
            <div class="columns">
                <Card title="Files">
                    <ul class="conditions">
                        <File name="Input" id={b.input_file_id} empty="removed" />
                        <File name="Output" id={b.output_file_id} empty={running(b) ? 'written at the end' : 'empty'} />
                        <File name="Errors" id={b.error_file_id} empty={running(b) ? 'written at the end' : 'none'} />
                    </ul>
                    <p class="help">
                        A file's content is at <code>/v1/files/ID/content</code>; it needs a key.
                    </p>
                </Card>
                <Card title="Details">
                    <Facts
                        items={[
                            ['Queue', <QueueLink name={b.queue} />],
                            ['Endpoint', b.endpoint],
                            ...(b.model ? [['Model', b.model] as [string, string]] : []),
                            ...(b.usage ? [['Tokens', count(b.usage.total_tokens)] as [string, string]] : []),
                            ...(b.retry_of
                                ? [
                                      [
                                          'Repeats',
                                          <a class="mono" href={href(['batches', b.retry_of])}>
                                              {b.retry_of}
                                          </a>,
                                      ] as [string, JSX.Element],
                                  ]
                                : []),
                            ['Created', <When at={b.created_at} />],
                            ['Started', <When at={b.in_progress_at} empty="not yet" />],
                            ['Finished', <When at={b.finished_at} empty="not yet" />],
                            ['Deadline', <When at={b.deadline_at} />],
                            ...(b.owner ? [['Owner', b.owner] as [string, string]] : []),
                            ...Object.entries(b.metadata ?? {}).map(
                                ([k, v]) => [k, <span class="breakable">{v}</span>] as [string, JSX.Element],
                            ),
                        ]}
                    />
                </Card>
            </div>
        </>
    );
}

const File = ({ name, id, empty }: { name: string; id: string | null; empty: string }): JSX.Element => (
    <li>
        <span>
            {name}
            {id && <small class="mono breakable">{id}</small>}
        </span>
        {id ? (
            <Copy
                text={commands('GET', address(`v1/files/${id}/content`), null).curl}
                label={`Copy the command that downloads ${name.toLowerCase()}`}
            />
        ) : (
            <span class="muted">{empty}</span>
        )}
    </li>
);
