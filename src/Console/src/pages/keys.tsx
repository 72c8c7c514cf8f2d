import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { call, get, path, send, type ApiError } from '../lib/api';
import { commands } from '../lib/commands';
import { useLoad } from '../lib/load';
import { address } from '../lib/router';
import { canChange, isOperator } from '../lib/session';
import type { Key } from '../lib/types';
import { Button, Card, Copy, Empty, Head, Notice, Show, When } from '../ui/basics';
import { Table } from '../ui/list';
import { ask, CommandLines, Dialog } from '../ui/dialog';

/** Issued keys. A secret is shown once, when it is made. */
export function KeysPage(): JSX.Element {
    const list = useLoad('keys', (s) => get<{ keys: Key[] }>('/keys', s), 10_000);
    const [creating, setCreating] = useState(false);
    const [made, setMade] = useState<Key | null>(null);
    const show = (key: Key): void => {
        setMade(key);
        list.reload();
    };
    return (
        <>
            <Head title="Keys" sub="Keys of programs and people. Keys in the configuration are not listed.">
                {canChange('admin') && (
                    <Button kind="primary" icon="plus" onClick={() => setCreating(true)}>
                        Create a key
                    </Button>
                )}
            </Head>
            {creating && (
                <Create
                    close={() => setCreating(false)}
                    made={(k) => {
                        setCreating(false);
                        show(k);
                    }}
                />
            )}
            {made && <Secret key={made.key} made={made} close={() => setMade(null)} />}
            <Show of={list} what="The keys">
                {({ keys }) =>
                    keys.length === 0 ? (
                        <Empty title="No issued keys" icon="keys">
                            <p>Create one for each program, so that each can be revoked alone.</p>
                        </Empty>
                    ) : (
                        <Card flush>
                            <Table
                                label="Keys"
                                head={[
                                    'Name',
                                    'Tenant',
                                    'Scopes',
                                    { name: 'Queues', class: 'wide' },
                                    'Last used',
                                    'Expires',
                                    ...(canChange('admin') ? [''] : []),
                                ]}
                            >
                                {keys.map((k) => (
                                    <tr key={k.id}>
                                        <th scope="row">
                                            {k.name}
                                            <span class="under mono">{k.id}</span>
                                        </th>
                                        <td>{k.all_tenants ? 'all' : k.tenant}</td>
                                        <td>
                                            {k.scopes.map((s) => (
                                                <span key={s} class="tag">
                                                    {s}
                                                </span>
                                            ))}
                                        </td>
                                        <td class="wide">{k.queues?.join(', ') || 'all'}</td>
                                        <td>
                                            <When at={k.last_used_at} empty="never" />
                                        </td>
                                        <td>
                                            <When at={k.expires_at} empty="never" />
                                            {k.previous_until && (
                                                <span class="under">
                                                    old secret until <When at={k.previous_until} />
                                                </span>
                                            )}
                                        </td>
                                        {canChange('admin') && (
                                            <td class="row-actions">
                                                <Verbs k={k} show={show} reload={list.reload} />
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

function Verbs({ k, show, reload }: { k: Key; show: (key: Key) => void; reload: () => void }): JSX.Element {
    const body = { overlap_seconds: 3600 };
    return (
        <>
            <Button
                icon="retry"
                label={`Rotate ${k.name}`}
                onClick={() =>
                    ask({
                        title: `Rotate ${k.name}?`,
                        text: 'It gets a new secret, which is shown once. The old one works for another hour.',
                        confirm: 'Rotate key',
                        commands: commands('POST', address(`keys/${k.id}/rotate`), ['keys', 'rotate', k.id, '--overlap', '1h'], body),
                        run: async () => {
                            show(await send<Key>('POST', path`/keys/${k.id}/rotate`, body));
                            return `${k.name} has a new secret.`;
                        },
                    })
                }
            >
                Rotate
            </Button>
            <Button
                kind="danger"
                icon="trash"
                label={`Revoke ${k.name}`}
                onClick={() =>
                    ask({
                        title: `Revoke ${k.name}?`,
                        text: 'Programs that use it are refused from now on. This cannot be undone.',
                        confirm: 'Revoke key',
                        danger: true,
                        typed: k.name,
                        commands: commands('DELETE', address(`keys/${k.id}`), ['keys', 'revoke', k.id]),
                        run: async () => {
                            await call('DELETE', path`/keys/${k.id}`);
                            return `${k.name} was revoked.`;
                        },
                        done: reload,
                    })
                }
            >
                Revoke
            </Button>
        </>
    );
}

const Secret = ({ made, close }: { made: Key; close: () => void }): JSX.Element => (
    <Dialog title={`The secret of ${made.name}`} onClose={close}>
        <div class="dialog-body">
            <Notice tone="warn" icon="keys">
                <strong>Copy it now.</strong> It is not stored, and not shown again.
            </Notice>
            <p class="secret">
                <code>{made.key}</code> <Copy text={made.key ?? ''} label="Copy the key" />
            </p>
        </div>
        <div class="dialog-foot">
            <Button kind="primary" onClick={close}>
                I have copied it
            </Button>
        </div>
    </Dialog>
);

const allScopes: [string, string][] = [
    ['enqueue', 'submit, cancel, retry and delete tasks'],
    ['read', 'read tasks, queues and schedules'],
    ['work', 'claim tasks of any owner: needs queues'],
    ['admin', 'everything'],
];

function Create({ close, made }: { close: () => void; made: (key: Key) => void }): JSX.Element {
    const [name, setName] = useState('');
    const [tenant, setTenant] = useState('');
    const [scopes, setScopes] = useState<string[]>(['enqueue', 'read']);
    const [queues, setQueues] = useState('');
    const [days, setDays] = useState('');
    const [error, setError] = useState<string | null>(null);
    const list = queues
        .split(',')
        .map((q) => q.trim())
        .filter(Boolean);
    const body = {
        name: name.trim(),
        scopes,
        ...(tenant.trim() && { tenant: tenant.trim() }),
        ...(list.length && { queues: list }),
        ...(days && { expires_at: new Date(Date.now() + Number(days) * 86_400_000).toISOString() }),
    };
    const submit = async (): Promise<void> => {
        try {
            made(await send<Key>('POST', '/keys', body));
        } catch (e) {
            setError(`${(e as ApiError).title}. ${(e as Error).message}`);
        }
    };
    const flags = [
        ...(tenant.trim() ? ['--tenant', tenant.trim()] : []),
        ...scopes.flatMap((s) => ['--scope', s]),
        ...list.flatMap((q) => ['--queue', q]),
        ...(days ? ['--expires', `${days}d`] : []),
    ];
    return (
        <Dialog title="Create a key" onClose={close}>
            <form
                onSubmit={(e) => {
                    e.preventDefault();
                    void submit();
                }}
            >
                <div class="dialog-body">
                    <p class="field">
                        <label for="key-name">Name</label>
                        <input
                            id="key-name"
                            class="input"
                            required
                            autocomplete="off"
                            value={name}
                            onInput={(e) => setName(e.currentTarget.value)}
                        />
                    </p>
                    {isOperator() && (
                        <p class="field">
                            <label for="key-tenant">Tenant</label>
                            <input
                                id="key-tenant"
                                class="input"
                                autocomplete="off"
                                placeholder="the name of the key"
                                value={tenant}
                                onInput={(e) => setTenant(e.currentTarget.value)}
                            />
                        </p>
                    )}
                    <fieldset class="choices">
                        <legend>Scopes</legend>
                        {allScopes.map(([scope, text]) => (
                            <label class="inline" key={scope}>
                                <input
                                    type="checkbox"
                                    checked={scopes.includes(scope)}
                                    onChange={() =>
                                        setScopes(scopes.includes(scope) ? scopes.filter((s) => s !== scope) : [...scopes, scope])
                                    }
                                />
                                <span>
                                    {scope} <small class="muted">{text}</small>
                                </span>
                            </label>
                        ))}
                    </fieldset>
                    <p class="field">
                        <label for="key-queues">Queues</label>
                        <input
                            id="key-queues"
                            class="input"
                            autocomplete="off"
                            placeholder="all, or mails, shop-*"
                            value={queues}
                            onInput={(e) => setQueues(e.currentTarget.value)}
                        />
                    </p>
                    <p class="field">
                        <label for="key-days">Expires after days</label>
                        <input
                            id="key-days"
                            class="input"
                            type="number"
                            min="1"
                            placeholder="never"
                            value={days}
                            onInput={(e) => setDays(e.currentTarget.value)}
                        />
                    </p>
                    {error && (
                        <div role="alert">
                            <Notice tone="bad" icon="failures">
                                <strong>The key was not created.</strong> {error}
                            </Notice>
                        </div>
                    )}
                    {name.trim() && (
                        <CommandLines commands={commands('POST', address('keys'), ['keys', 'create', name.trim(), ...flags], body)} />
                    )}
                </div>
                <div class="dialog-foot">
                    <Button onClick={close}>Close</Button>
                    <Button type="submit" kind="primary" disabled={!name.trim() || scopes.length === 0}>
                        Create key
                    </Button>
                </div>
            </form>
        </Dialog>
    );
}
