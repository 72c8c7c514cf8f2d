import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import { Icon } from './icon';

const messages = signal<{ id: number; text: string }[]>([]);
let last = 0;

/** Says that something was done; screen readers read it. */
export function toast(text: string): void {
    const id = ++last;
    messages.value = [...messages.value.slice(-2), { id, text }];
    setTimeout(() => (messages.value = messages.value.filter((m) => m.id !== id)), 6000);
}

export function Toasts(): JSX.Element {
    return (
        <div class="toasts" role="status" aria-live="polite">
            {messages.value.map((m) => (
                <div class="toast" key={m.id}>
                    <Icon name="check" />
                    {m.text}
                </div>
            ))}
        </div>
    );
}
