import type { JSX } from 'preact';
import { call, path, send } from '../lib/api';
import { commands } from '../lib/commands';
import { isEmpty, selection, type Filters } from '../lib/filters';
import { count, plural } from '../lib/format';
import { address, go, href } from '../lib/router';
import { has } from '../lib/session';
import type { Operation } from '../lib/types';
import { Button } from '../ui/basics';
import { ask } from '../ui/dialog';

interface Props {
    selected: ReadonlySet<string>;
    all: boolean;
    filters: Filters;
    total: { count: number; exact: boolean };
    pageFull: boolean;
    chooseAll: () => void;
    clear: () => void;
    done: () => void;
}

type Verb = 'retry' | 'cancel' | 'delete';
const words: Record<Verb, { name: string; text: string; icon: string }> = {
    retry: { name: 'Retry', text: 'Those that failed or were cancelled run again; others are skipped.', icon: 'retry' },
    cancel: { name: 'Cancel', text: 'Those that have ended are skipped. Running ones are told to stop.', icon: 'close' },
    delete: {
        name: 'Delete',
        text: 'Those that wait or run are skipped: cancel them first. Payloads, results and timelines are deleted too.',
        icon: 'trash',
    },
};

/** What can be done with the chosen tasks, or with all that match. */
export function BulkBar(props: Props): JSX.Element {
    const { selected, all, total, pageFull, chooseAll, clear } = props;
    const many = has('operations') && pageFull && total.count > selected.size;
    return (
        <div class="bulk" role="region" aria-label="Selection">
            <span>
                {all
                    ? `All ${total.exact ? '' : 'about '}${plural(total.count, 'task')} that match`
                    : `${plural(selected.size, 'task')} selected`}
            </span>
            {many && !all && (
                <Button kind="ghost" onClick={chooseAll}>
                    Select all {total.exact ? '' : 'about '}
                    {count(total.count)} that match
                </Button>
            )}
            <span class="actions">
                {(['retry', 'cancel', 'delete'] as const).map((verb) => (
                    <Button
                        key={verb}
                        icon={words[verb].icon}
                        kind={verb === 'delete' ? 'danger' : 'plain'}
                        onClick={() => void start(verb, props)}
                    >
                        {words[verb].name}
                    </Button>
                ))}
                <Button kind="ghost" onClick={clear}>
                    Clear
                </Button>
            </span>
        </div>
    );
}

async function start(verb: Verb, { selected, all, filters, total, clear, done }: Props): Promise<void> {
    const ids = [...selected];
    const chosen = all ? { search: selection(filters) } : { ids };
    const size = all ? total.count : ids.length;
    const body = { action: verb, selection: chosen };
    const finish = (): void => {
        clear();
        done();
    };
    const everything = all && isEmpty(filters);
    const flags = everything ? ['--all'] : all ? [...searchFlags(filters)] : ids.flatMap((id) => ['--id', id]);
    ask({
        title: `${words[verb].name} ${all && !total.exact ? 'about ' : ''}${plural(size, 'task')}`,
        text: (
            <>
                <p>{words[verb].text}</p>
                {everything && (
                    <p>
                        <strong>No filter is set: this concerns every task that you can see.</strong>
                    </p>
                )}
            </>
        ),
        confirm: words[verb].name,
        danger: verb !== 'retry',
        ...(all && { typed: String(size) }),
        commands: has('operations')
            ? commands('POST', address('operations'), ['operations', 'create', verb, ...flags], body)
            : commands('POST', address(`tasks/${ids[0]}/${verb}`), verb === 'delete' ? null : [verb, ...ids]),
        run: async () => {
            if (has('operations')) {
                const operation = await send<Operation>('POST', '/operations', body);
                go(href(['operations'], { id: operation.id }));
                return `The operation was started.`;
            }
            return one(verb, ids);
        },
        done: finish,
    });
}

function* searchFlags(filters: Filters): Generator<string> {
    for (const [name, value] of Object.entries(selection(filters))) {
        for (const v of Array.isArray(value) ? value : [value]) yield* [`--${name.replaceAll('_', '-')}`, v];
    }
}

/** One request after the other, for servers without operations: refusals are counted. */
async function one(verb: Verb, ids: string[]): Promise<string> {
    let done = 0;
    let refused = 0;
    for (const id of ids) {
        try {
            await (verb === 'delete' ? call('DELETE', path`/tasks/${id}`) : call('POST', path`/tasks/${id}/${verb}`));
            done++;
        } catch {
            refused++;
        }
    }
    return `${words[verb].name}: ${done} done${refused ? `, ${refused} refused` : ''}.`;
}
