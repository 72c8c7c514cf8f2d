import type { ComponentChildren, JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { Button } from './basics';

/** Columns that may be left out on a narrow screen have the class "wide". */
export function Table({
    label,
    head,
    children,
    minimal,
}: {
    label: string;
    head: (string | { name: string; class: string })[];
    children: ComponentChildren;
    minimal?: boolean;
}): JSX.Element {
    const box = useRef<HTMLDivElement>(null);
    // A narrow screen shows a row's cells below each other, each with the name of its column.
    useLayoutEffect(() => {
        const names = head.map((h) => (typeof h === 'string' ? h : h.name));
        for (const row of box.current!.querySelectorAll<HTMLTableRowElement>(':scope > table > tbody > tr')) {
            for (const [i, cell] of [...row.cells].entries()) cell.dataset['label'] = names[i] ?? '';
        }
    });
    return (
        <div class="table-box" role="region" aria-label={label} tabIndex={0} ref={box}>
            <table class={minimal ? 'table minimal' : 'table'}>
                <thead>
                    <tr>
                        {head.map((h) =>
                            typeof h === 'string' ? (
                                <th scope="col" key={h}>
                                    {h || <span class="hidden">Actions</span>}
                                </th>
                            ) : (
                                <th scope="col" key={h.name} class={h.class}>
                                    {h.name || <span class="hidden">Actions</span>}
                                </th>
                            ),
                        )}
                    </tr>
                </thead>
                <tbody>{children}</tbody>
            </table>
        </div>
    );
}

/** Newer and older pages of a list. */
export function Pager({
    first,
    next,
    onFirst,
    onNext,
    shown,
    firstName = 'Newest',
    nextName = 'Older',
}: {
    first: boolean;
    next: boolean;
    onFirst: () => void;
    onNext: () => void;
    shown: string;
    firstName?: string;
    nextName?: string;
}): JSX.Element | null {
    if (first && !next) return <p class="pager muted">{shown}</p>;
    return (
        <nav class="pager" aria-label="Pages of the list">
            <span class="muted">{shown}</span>
            <Button onClick={onFirst} disabled={first}>
                {firstName}
            </Button>
            <Button onClick={onNext} disabled={!next}>
                {nextName}
            </Button>
        </nav>
    );
}
