import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { path, send, type ApiError } from '../lib/api';
import { commands } from '../lib/commands';
import { address } from '../lib/router';
import { canChange } from '../lib/session';
import { toForm, toRequest, type SettingsForm } from '../lib/settings';
import type { Queue } from '../lib/types';
import { Button, Card, Notice } from '../ui/basics';
import { CommandLines } from '../ui/dialog';
import { toast } from '../ui/toast';

type TextField = Exclude<keyof SettingsForm, 'dead_letters' | 'events'>;

const groups: { title: string; fields: [TextField, string, string][] }[] = [
    {
        title: 'Limits',
        fields: [
            ['max_running', 'Running at once', 'unlimited'],
            ['rate_tokens', 'Tasks per interval', 'unlimited'],
            ['rate_interval', 'Interval in seconds', '1'],
        ],
    },
    {
        title: 'Attempts',
        fields: [
            ['max_attempts', 'Attempts', '4'],
            ['intervals', 'Retry after seconds', 'exponential'],
            ['lease_seconds', 'Lease in seconds', '15'],
            ['max_crashes', 'Lost workers before quarantine', '3'],
        ],
    },
    {
        title: 'Lifetime',
        fields: [
            ['expire_after_seconds', 'Expire after seconds', 'never'],
            ['keep_finished_seconds', 'Keep finished for seconds', 'as the server'],
        ],
    },
];

/** The settings of a queue. They apply at once, also to tasks that wait. */
export function QueueSettings({ q, reload }: { q: Queue; reload: () => void }): JSX.Element {
    const [form, setForm] = useState(() => toForm(q));
    const [error, setError] = useState<string | null>(null);
    const [busy, setBusy] = useState(false);
    const editable = canChange('admin');
    const changed = JSON.stringify(form) !== JSON.stringify(toForm(q));

    const save = async (): Promise<void> => {
        setBusy(true);
        setError(null);
        try {
            await send('PUT', path`/queues/${q.name}`, toRequest(q, form));
            toast('The settings were saved.');
            reload();
        } catch (e) {
            const failure = e as ApiError;
            setError([failure.title, failure.message].filter(Boolean).join('. '));
        }
        setBusy(false);
    };

    const command = (): JSX.Element | null => {
        try {
            return <CommandLines commands={commands('PUT', address(`queues/${encodeURIComponent(q.name)}`), null, toRequest(q, form))} />;
        } catch {
            return null;
        }
    };

    return (
        <Card title="Settings">
            <form
                class="settings"
                onSubmit={(e) => {
                    e.preventDefault();
                    void save();
                }}
            >
                {groups.map((g) => (
                    <fieldset key={g.title} disabled={!editable}>
                        <legend>{g.title}</legend>
                        <div class="fields">
                            {g.fields
                                .filter(([f]) => f !== 'max_crashes' || f in q)
                                .map(([field, label, placeholder]) => (
                                    <p class="field" key={field}>
                                        <label for={field}>{label}</label>
                                        <input
                                            id={field}
                                            class="input"
                                            inputMode={field === 'intervals' ? 'text' : 'decimal'}
                                            value={form[field]}
                                            placeholder={placeholder}
                                            autocomplete="off"
                                            onInput={(e) => setForm({ ...form, [field]: e.currentTarget.value })}
                                        />
                                    </p>
                                ))}
                        </div>
                    </fieldset>
                ))}
                <fieldset disabled={!editable}>
                    <legend>More</legend>
                    <div class="fields">
                        <p class="field">
                            <label for="description">Description</label>
                            <input
                                id="description"
                                class="input"
                                value={form.description}
                                maxLength={1024}
                                onInput={(e) => setForm({ ...form, description: e.currentTarget.value })}
                            />
                        </p>
                        <p class="field">
                            <label for="events">Events</label>
                            <select
                                id="events"
                                class="input"
                                value={form.events}
                                onChange={(e) => setForm({ ...form, events: e.currentTarget.value })}
                            >
                                <option value="all">all</option>
                                <option value="terminal">terminal</option>
                                <option value="none">none</option>
                            </select>
                        </p>
                        <label class="inline">
                            <input
                                type="checkbox"
                                checked={form.dead_letters}
                                onChange={(e) => setForm({ ...form, dead_letters: e.currentTarget.checked })}
                            />
                            Keep failed tasks as dead letters
                        </label>
                    </div>
                </fieldset>
                {error && (
                    <div role="alert">
                        <Notice tone="bad" icon="failures">
                            <strong>The settings were not saved.</strong> {error}
                        </Notice>
                    </div>
                )}
                {editable && (
                    <div class="form-foot">
                        {changed && command()}
                        <span class="actions">
                            <Button type="submit" kind="primary" disabled={!changed || busy}>
                                {busy ? 'Saving…' : 'Save settings'}
                            </Button>
                            <Button disabled={!changed} onClick={() => setForm(toForm(q))}>
                                Discard
                            </Button>
                        </span>
                    </div>
                )}
            </form>
        </Card>
    );
}
