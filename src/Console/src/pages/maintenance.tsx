import type { JSX } from 'preact';
import { get, path, send } from '../lib/api';
import { commands } from '../lib/commands';
import { count, duration } from '../lib/format';
import { useLoad } from '../lib/load';
import { address } from '../lib/router';
import { canChange } from '../lib/session';
import type { MaintenanceJob } from '../lib/types';
import { Badge, Button, Card, Empty, Head, Show, When } from '../ui/basics';
import { Table } from '../ui/list';
import { ask } from '../ui/dialog';

/** The recurring jobs: whether they ran, and when they run next. */
export function MaintenancePage(): JSX.Element {
    const list = useLoad('maintenance', (s) => get<{ jobs: MaintenanceJob[] }>('/maintenance', s), 3000);
    return (
        <>
            <Head title="Maintenance" sub="Recurring jobs that remove old data. Processes with the role scheduler run them." />
            <Show of={list} what="The maintenance jobs">
                {({ jobs }) =>
                    jobs.length === 0 ? (
                        <Empty title="No jobs" icon="maintenance" />
                    ) : (
                        <Card flush>
                            <Table
                                label="Maintenance jobs"
                                head={[
                                    'Job',
                                    'Last run',
                                    'Outcome',
                                    { name: 'Removed', class: 'num wide' },
                                    { name: 'Next run', class: '' },
                                    { name: 'Every', class: 'wide' },
                                    ...(canChange('admin') ? [''] : []),
                                ]}
                            >
                                {jobs.map((j) => (
                                    <tr key={j.name}>
                                        <th scope="row">
                                            {j.name}
                                            <span class="under">{j.description}</span>
                                        </th>
                                        <td>
                                            <When at={j.last_run_at} empty="never" />
                                            {j.duration_ms != null && <span class="under nowrap">took {duration(j.duration_ms / 1000)}</span>}
                                        </td>
                                        <td>
                                            <Badge state={j.outcome ?? 'waiting'}>{j.outcome ?? 'not run yet'}</Badge>
                                            {j.error && <span class="under bad-text">{j.error}</span>}
                                        </td>
                                        <td class="num wide">{count(j.removed)}</td>
                                        <td>
                                            <When at={j.next_run_at} />
                                        </td>
                                        <td class="wide">{duration(j.interval_seconds)}</td>
                                        {canChange('admin') && (
                                            <td class="row-actions">
                                                <Button
                                                    icon="play"
                                                    label={`Run now: ${j.name}`}
                                                    disabled={j.outcome === 'running'}
                                                    onClick={() =>
                                                        ask({
                                                            title: `Run ${j.name} now?`,
                                                            text: j.description,
                                                            confirm: 'Run now',
                                                            commands: commands('POST', address(`maintenance/${j.name}/run`), [
                                                                'maintenance',
                                                                'run',
                                                                j.name,
                                                            ]),
                                                            run: async () => {
                                                                const answer = await send<{ status: string }>(
                                                                    'POST',
                                                                    path`/maintenance/${j.name}/run`,
                                                                );
                                                                return `${j.name}: ${answer.status}.`;
                                                            },
                                                            done: list.reload,
                                                        })
                                                    }
                                                >
                                                    Run now
                                                </Button>
                                            </td>
                                        )}
                                    </tr>
                                ))}
                            </Table>
                        </Card>
                    )
                }
            </Show>
        </>
    );
}
