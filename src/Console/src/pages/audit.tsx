import type { JSX } from 'preact';
import { getLossless } from '../lib/api';
import { time } from '../lib/format';
import { useLoad } from '../lib/load';
import { go, href, place } from '../lib/router';
import type { AuditRecord } from '../lib/types';
import { isNull, member, toValue, type Json } from '../json/lossless';
import { Tree } from '../json/tree';
import { Badge, Card, Empty, Head, Show } from '../ui/basics';
import { Pager, Table } from '../ui/list';
import { Choice, TextFilter } from '../ui/filter';

const names = ['actor', 'action', 'target', 'address', 'tenant'] as const;

interface Row {
    record: AuditRecord;
    before: Json | null;
    after: Json | null;
}

/** What was changed and what was refused, newest first. */
export function AuditPage(): JSX.Element {
    const query = place.value.query;
    const after = query.get('after');
    const filters: Record<string, string> = {};
    for (const name of [...names, 'result']) filters[name] = query.get(name) ?? '';
    const search = new URLSearchParams({ limit: '50' });
    for (const [k, v] of Object.entries(filters)) if (v) search.set(k, v);
    if (after) search.set('after', after);
    const list = useLoad(
        `audit ${search}`,
        async (s) => {
            const json = await getLossless(`/audit?${search}`, s);
            const records = member(json, 'records');
            const rows: Row[] =
                records?.kind === 'array'
                    ? records.items.map((r) => ({
                          record: toValue(r) as AuditRecord,
                          before: member(r, 'before'),
                          after: member(r, 'after'),
                      }))
                    : [];
            const next = member(json, 'next');
            return { rows, next: next?.kind === 'string' ? next.value : null };
        },
        after ? null : 5000,
    );
    const change = (next: Record<string, string>): void => go(href(['audit'], { ...filters, ...next }));
    const labels: Record<string, string> = {
        actor: 'Actor',
        action: 'Action starts with',
        target: 'Target',
        address: 'Address',
        tenant: 'Tenant',
    };
    return (
        <>
            <Head title="Audit" sub="Administrative actions and refusals, newest first." />
            <div class="filter-line">
                {names.map((n) => (
                    <TextFilter key={n} label={labels[n]!} value={filters[n]!} change={(v) => change({ [n]: v })} />
                ))}
                <Choice
                    label="Result"
                    value={filters['result']!}
                    options={[['', 'any'], 'done', 'refused', 'failed']}
                    change={(v) => change({ result: v })}
                />
            </div>
            <Show of={list} what="The audit log">
                {(page) =>
                    page.rows.length === 0 ? (
                        <Empty title="No records" icon="audit">
                            <p>Changes of queues, schedules and keys appear here, with refused requests.</p>
                        </Empty>
                    ) : (
                        <Card flush>
                            <Table
                                label="Audit records"
                                head={['Time', 'Actor', 'Action', 'Target', 'Result', { name: 'Address', class: 'wide' }]}
                            >
                                {page.rows.map(({ record: r, before, after: then }) => (
                                    <tr key={String(r.id)}>
                                        <th scope="row" class="nowrap">
                                            <time dateTime={r.at}>{time(r.at)}</time>
                                        </th>
                                        <td>
                                            {r.actor ?? '–'}
                                            {r.tenant && <span class="under">{r.tenant}</span>}
                                        </td>
                                        <td>
                                            {r.action}
                                            {(!isNull(before) || !isNull(then)) && (
                                                <details class="change">
                                                    <summary>Change</summary>
                                                    {!isNull(before) && (
                                                        <>
                                                            <p class="muted">before</p>
                                                            <Tree json={before!} label="Before" />
                                                        </>
                                                    )}
                                                    {!isNull(then) && (
                                                        <>
                                                            <p class="muted">after</p>
                                                            <Tree json={then!} label="After" />
                                                        </>
                                                    )}
                                                </details>
                                            )}
                                        </td>
                                        <td class="breakable">{r.target ?? '–'}</td>
                                        <td>
                                            <Badge state={r.result.split(/[ :]/)[0]!}>{r.result}</Badge>
                                        </td>
                                        <td class="wide mono">{r.address ?? '–'}</td>
                                    </tr>
                                ))}
                            </Table>
                            <div class="foot">
                                <Pager
                                    first={!after}
                                    next={page.next !== null}
                                    shown={`${page.rows.length} on this page`}
                                    onFirst={() => change({})}
                                    onNext={() => change({ after: page.next! })}
                                />
                            </div>
                        </Card>
                    )
                }
            </Show>
        </>
    );
}
