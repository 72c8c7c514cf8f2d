import { signal } from '@preact/signals';
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { ApiError } from '../lib/api';
import type { Commands } from '../lib/commands';
import { Button, Copy, Notice } from './basics';
import { Icon } from './icon';
import { toast } from './toast';

/** A modal dialog: the browser keeps the focus inside, and gives it back when it closes. */
export function Dialog({
    title,
    children,
    onClose,
    wide,
}: {
    title: string;
    children: ComponentChildren;
    onClose: () => void;
    wide?: boolean;
}): JSX.Element {
    const element = useRef<HTMLDialogElement>(null);
    const id = useId();
    useEffect(() => {
        const dialog = element.current!;
        const before = document.activeElement as HTMLElement | null;
        dialog.showModal();
        return () => {
            dialog.close();
            // The action may have led to another page.
            (before?.isConnected ? before : document.querySelector<HTMLElement>('main h1'))?.focus();
        };
    }, []);
    return (
        <dialog
            ref={element}
            class={wide ? 'dialog wide-dialog' : 'dialog'}
            aria-labelledby={id}
            onCancel={(e) => {
                e.preventDefault();
                onClose();
            }}
        >
            <div class="dialog-head">
                <h2 id={id}>{title}</h2>
                <Button kind="ghost" onClick={onClose} label="Close">
                    <Icon name="close" />
                </Button>
            </div>
            {children}
        </dialog>
    );
}

/** What the caller is about to do. */
export interface Action {
    title: string;
    text: ComponentChildren;
    confirm: string;
    danger?: boolean;
    /** The word to type first. */
    typed?: string;
    commands?: Commands;
    /** Returns what to say when it is done. */
    run: () => Promise<string | void>;
    done?: () => void;
}

const current = signal<Action | null>(null);

/** Asks, and does it. */
export const ask = (action: Action): void => void (current.value = action);

/** Whether a dialog is open: lists stand still meanwhile. */
export const asking = (): boolean => current.value !== null;

export function ActionDialog(): JSX.Element | null {
    const action = current.value;
    return action && <Asking key={action.title} action={action} close={() => (current.value = null)} />;
}

function Asking({ action, close }: { action: Action; close: () => void }): JSX.Element {
    const [busy, setBusy] = useState(false);
    const [typed, setTyped] = useState('');
    const [error, setError] = useState<ApiError | null>(null);
    const id = useId();
    const run = async (): Promise<void> => {
        setBusy(true);
        setError(null);
        try {
            toast((await action.run()) || `${action.confirm}: done.`);
            close();
            action.done?.();
        } catch (failure) {
            setError(failure instanceof ApiError ? failure : new ApiError(0, 'It failed', String(failure)));
            setBusy(false);
        }
    };
    return (
        <Dialog title={action.title} onClose={close}>
            <form
                onSubmit={(e) => {
                    e.preventDefault();
                    void run();
                }}
            >
                <div class="dialog-body">
                    <div class="prose">{action.text}</div>
                    {action.typed && (
                        <p class="field">
                            <label for={id}>
                                Type <b class="mono">{action.typed}</b> to confirm
                            </label>
                            <input
                                id={id}
                                class="input"
                                autocomplete="off"
                                value={typed}
                                onInput={(e) => setTyped(e.currentTarget.value)}
                            />
                        </p>
                    )}
                    {error && (
                        <Notice tone="bad" icon="failures">
                            <strong>{error.title}.</strong> {error.message}
                        </Notice>
                    )}
                    {action.commands && <CommandLines commands={action.commands} />}
                </div>
                <div class="dialog-foot">
                    <Button onClick={close}>Keep as it is</Button>
                    <Button
                        type="submit"
                        kind={action.danger ? 'danger' : 'primary'}
                        disabled={busy || (!!action.typed && typed !== action.typed)}
                    >
                        {busy ? 'Working…' : action.confirm}
                    </Button>
                </div>
            </form>
        </Dialog>
    );
}

/** The request and the command that do the same. */
export function CommandLines({ commands, open }: { commands: Commands; open?: boolean }): JSX.Element {
    return (
        <details class="commands" open={open}>
            <summary>The same from a terminal</summary>
            {commands.cli && <Line name="Command line" text={commands.cli} />}
            <Line name="HTTP" text={commands.curl} />
        </details>
    );
}

const Line = ({ name, text }: { name: string; text: string }): JSX.Element => (
    <div class="command">
        <span class="command-name">{name}</span>
        <code tabIndex={0} aria-label={name} role="group">
            {text}
        </code>
        <Copy text={text} label={`Copy ${name}`} />
    </div>
);
