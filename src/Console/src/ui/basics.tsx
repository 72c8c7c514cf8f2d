import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ApiError } from '../lib/api';
import type { Loaded } from '../lib/load';
import { ago, short, time } from '../lib/format';
import { now } from '../lib/live';
import { href } from '../lib/router';
import { Icon } from './icon';

type Tone = 'good' | 'bad' | 'warn' | 'info' | 'quiet' | 'plain';

const tones: Record<string, Tone> = {
    completed: 'good',
    succeeded: 'good',
    delivered: 'good',
    active: 'good',
    ok: 'good',
    up: 'good',
    healthy: 'good',
    resolved: 'good',
    done: 'good',
    failed: 'bad',
    lost: 'bad',
    down: 'bad',
    open: 'bad',
    unhealthy: 'bad',
    interrupted: 'bad',
    crash: 'bad',
    error: 'bad',
    retrying: 'warn',
    expired: 'warn',
    degraded: 'warn',
    paused: 'warn',
    draining: 'warn',
    stopped: 'quiet',
    refused: 'warn',
    cancelling: 'warn',
    running: 'info',
    in_progress: 'info',
    finalizing: 'info',
    validating: 'info',
    started: 'info',
    scheduled: 'info',
    planned: 'info',
    cancelled: 'quiet',
    ignored: 'quiet',
    undone: 'quiet',
    pending: 'plain',
    waiting: 'plain',
};

/** A state: a colour, and always the word. */
export function Badge({ state, children, tone }: { state: string; children?: ComponentChildren; tone?: Tone }): JSX.Element {
    return (
        <span class={`badge ${tone ?? tones[state] ?? 'plain'}`}>
            <i class="dot" aria-hidden="true" />
            {children ?? state.replaceAll('_', ' ')}
        </span>
    );
}

interface ButtonProps {
    children: ComponentChildren;
    onClick?: () => void;
    kind?: 'primary' | 'danger' | 'ghost' | 'plain';
    icon?: string;
    disabled?: boolean;
    label?: string;
    type?: 'button' | 'submit';
    pressed?: boolean;
}

export function Button({ children, onClick, kind = 'plain', icon, disabled, label, type = 'button', pressed }: ButtonProps): JSX.Element {
    return (
        <button
            type={type}
            class={`button ${kind}`}
            onClick={onClick}
            disabled={disabled}
            aria-label={label}
            title={label}
            aria-pressed={pressed}
        >
            {icon && <Icon name={icon} />}
            {children}
        </button>
    );
}

/** A time: how long ago, and exactly on hover. */
export function When({ at, empty = '–' }: { at: string | null | undefined; empty?: string }): JSX.Element {
    if (!at) return <span class="muted">{empty}</span>;
    return (
        <time dateTime={at} title={time(at, true)}>
            {ago(at, now.value)}
        </time>
    );
}

export function TaskLink({ id, full }: { id: string; full?: boolean }): JSX.Element {
    return (
        <a class="mono" href={href(['tasks', id])} title={id}>
            {full ? id : short(id)}
        </a>
    );
}

/** To the page of a queue, which is that of all its tiers. */
export const QueueLink = ({ name }: { name: string }): JSX.Element => <a href={href(['queues', name.replace(/:\d+$/, '')])}>{name}</a>;

export function Copy({ text, label = 'Copy' }: { text: string; label?: string }): JSX.Element {
    const [copied, set] = useState(false);
    const copy = async (): Promise<void> => {
        await navigator.clipboard.writeText(text);
        set(true);
        setTimeout(() => set(false), 1500);
    };
    return (
        <button type="button" class="button ghost small" onClick={() => void copy()} aria-label={copied ? 'Copied' : label} title={label}>
            <Icon name={copied ? 'check' : 'copy'} />
        </button>
    );
}

let opened = false;

/** Another page opens: its heading gets the focus, so that screen readers say where they are. */
export const pageOpens = (): void => void (opened = true);

/** A page's heading, which gets the focus when the page opens, with its actions. */
export function Head({
    title,
    sub,
    children,
    crumb,
}: {
    title: ComponentChildren;
    sub?: ComponentChildren;
    children?: ComponentChildren;
    crumb?: { name: string; to: string };
}): JSX.Element {
    const heading = useRef<HTMLHeadingElement>(null);
    useEffect(() => {
        if (opened) heading.current?.focus({ preventScroll: true });
        opened = false;
    }, []);
    return (
        <header class="head">
            <div class="head-text">
                {crumb && (
                    <a class="crumb" href={crumb.to}>
                        {crumb.name}
                    </a>
                )}
                <h1 tabIndex={-1} ref={heading}>
                    {title}
                </h1>
                {sub && <p class="sub">{sub}</p>}
            </div>
            {children && <div class="actions">{children}</div>}
        </header>
    );
}

export function Card({
    title,
    children,
    actions,
    flush,
}: {
    title?: ComponentChildren;
    children: ComponentChildren;
    actions?: ComponentChildren;
    flush?: boolean;
}): JSX.Element {
    return (
        <section class={flush ? 'card flush' : 'card'}>
            {title && (
                <div class="card-head">
                    <h2>{title}</h2>
                    {actions && <div class="actions">{actions}</div>}
                </div>
            )}
            {children}
        </section>
    );
}

/** Nothing to show, and what to do about it. */
export function Empty({ title, children, icon = 'info' }: { title: string; children?: ComponentChildren; icon?: string }): JSX.Element {
    return (
        <div class="empty">
            <span class="empty-icon">
                <Icon name={icon} />
            </span>
            <p class="empty-title">{title}</p>
            {children && <div class="empty-text">{children}</div>}
        </div>
    );
}

export function Failure({ error, what, retry }: { error: ApiError; what: string; retry?: () => void }): JSX.Element {
    return (
        <div class="notice bad" role="alert">
            <Icon name="failures" />
            <div>
                <strong>{what} could not be loaded.</strong> {error.title}. {error.message}
            </div>
            {retry && (
                <Button onClick={retry} icon="retry">
                    Try again
                </Button>
            )}
        </div>
    );
}

export function Notice({
    tone = 'info',
    children,
    icon = 'info',
}: {
    tone?: Tone;
    children: ComponentChildren;
    icon?: string;
}): JSX.Element {
    return (
        <div class={`notice ${tone}`}>
            <Icon name={icon} />
            <div>{children}</div>
        </div>
    );
}

/**
 * What was read, or why not; a failed refresh leaves the old data and says so. A page whose heading is part of what is read names what is
 * above it, and so has a heading also without.
 */
export function Show<T>({
    of,
    what,
    above,
    children,
}: {
    of: Loaded<T>;
    what: string;
    above?: { name: string; to: string };
    children: (data: T) => ComponentChildren;
}): JSX.Element {
    if (of.data === null) {
        if (!of.error) return <Skeleton />;
        return (
            <>
                {above && <Head title={what} crumb={above} />}
                <Failure error={of.error} what={what} retry={of.reload} />
            </>
        );
    }
    return (
        <div class={of.stale ? 'stale' : ''} aria-busy={of.stale}>
            {of.error && (
                <Notice tone="warn" icon="failures">
                    {what} could not be refreshed: {of.error.title}. {of.error.message}
                </Notice>
            )}
            {children(of.data)}
        </div>
    );
}

export const Skeleton = (): JSX.Element => (
    <div class="skeleton" role="status" aria-label="Loading">
        <i />
        <i />
        <i />
    </div>
);

/** Names and values. */
export function Facts({ items }: { items: [string, ComponentChildren][] }): JSX.Element {
    return (
        <dl class="facts">
            {items.map(([name, value]) => (
                <div key={name}>
                    <dt>{name}</dt>
                    <dd>{value ?? '–'}</dd>
                </div>
            ))}
        </dl>
    );
}

export const Number = ({ value, name, tone }: { value: ComponentChildren; name: string; tone?: Tone }): JSX.Element => (
    <div class={`number ${tone ?? ''}`}>
        <span class="number-name">{name}</span>
        <span class="number-value">{value}</span>
    </div>
);

export const Bar = ({ done, total, label }: { done: number; total: number; label: string }): JSX.Element => (
    <progress class="bar" value={done} max={Math.max(1, total)} aria-label={label} />
);
