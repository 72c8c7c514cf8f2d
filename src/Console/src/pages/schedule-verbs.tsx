import type { JSX } from 'preact';
import { call, path, send } from '../lib/api';
import { commands } from '../lib/commands';

import { address, go, href } from '../lib/router';

import type { Schedule } from '../lib/types';

import { Button } from '../ui/basics';

import { ask } from '../ui/dialog';

/** What can be done with a schedule. */
export function Verbs({ s, reload, all }: { s: Schedule; reload: () => void; all?: boolean }): JSX.Element {
    const url = (verb: string): string => address(`queues/${encodeURIComponent(s.queue)}/schedules/${encodeURIComponent(s.name)}${verb}`);
    const verb = s.paused ? 'resume' : 'pause';
    return (
        <>
            <Button
                icon="play"
                label={`Run now: ${s.name}`}
                onClick={() =>
                    ask({
                        title: `Run ${s.name} now?`,
                        text: `One task is created in ${s.queue} at once. The next ticks stay as they are.`,
                        confirm: 'Run now',
                        commands: commands('POST', url('/run'), null),
                        run: async () => {
                            const task = await send<{ id: string }>('POST', path`/queues/${s.queue}/schedules/${s.name}/run`);
                            return `Task ${task.id} was created.`;
                        },
                        done: reload,
                    })
                }
            >
                Run now
            </Button>
            <Button
                icon={s.paused ? 'play' : 'pause'}
                label={`${s.paused ? 'Resume' : 'Pause'} ${s.name}`}
                onClick={() =>
                    ask({
                        title: `${s.paused ? 'Resume' : 'Pause'} ${s.name}?`,
                        text: s.paused
                            ? 'It creates tasks again from its next tick.'
                            : 'It creates no tasks until it is resumed. Ticks meanwhile are left out.',
                        confirm: s.paused ? 'Resume schedule' : 'Pause schedule',
                        commands: commands('POST', url(`/${verb}`), null),
                        run: async () => {
                            await send('POST', path`/queues/${s.queue}/schedules/${s.name}` + `/${verb}`);
                            return `${s.name} was ${s.paused ? 'resumed' : 'paused'}.`;
                        },
                        done: reload,
                    })
                }
            >
                {s.paused ? 'Resume' : 'Pause'}
            </Button>
            {all && (
                <Button
                    kind="danger"
                    icon="trash"
                    onClick={() =>
                        ask({
                            title: `Delete ${s.name}?`,
                            text: 'It creates no more tasks. Those that exist stay.',
                            confirm: 'Delete schedule',
                            danger: true,
                            commands: commands('DELETE', url(''), null),
                            run: async () => {
                                await call('DELETE', path`/queues/${s.queue}/schedules/${s.name}`);
                                go(href(['schedules']));
                                return `${s.name} was deleted.`;
                            },
                        })
                    }
                >
                    Delete
                </Button>
            )}
        </>
    );
}
