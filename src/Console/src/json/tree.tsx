import type { ComponentChildren, JSX } from 'preact';
import { useState } from 'preact/hooks';
import { Button, Copy } from '../ui/basics';
import { write, type Json } from './lossless';

const page = 100;

/** JSON as a tree that opens and closes; numbers are shown as they were written. */
export function Tree({ json, label }: { json: Json; label: string }): JSX.Element {
    const [raw, setRaw] = useState(false);
    const text = write(json, '  ');
    return (
        <div class="json-box">
            <div class="json-tools">
                <Button kind="ghost" pressed={raw} onClick={() => setRaw(!raw)}>
                    {raw ? 'Tree' : 'Text'}
                </Button>
                <Copy text={text} label={`Copy ${label}`} />
            </div>
            <div class="json" role="region" aria-label={label} tabIndex={0}>
                {raw ? <pre>{text}</pre> : <Value json={json} depth={0} />}
            </div>
        </div>
    );
}

function Value({ json, depth }: { json: Json; depth: number }): JSX.Element {
    switch (json.kind) {
        case 'object':
            return json.members.length ? (
                <Group
                    depth={depth}
                    open="{"
                    close="}"
                    size={json.members.length}
                    item={(i) => (
                        <>
                            <span class="json-key">{json.members[i]![0]}</span>: <Value json={json.members[i]![1]} depth={depth + 1} />
                        </>
                    )}
                />
            ) : (
                <span>{'{}'}</span>
            );
        case 'array':
            return json.items.length ? (
                <Group
                    depth={depth}
                    open="["
                    close="]"
                    size={json.items.length}
                    item={(i) => <Value json={json.items[i]!} depth={depth + 1} />}
                />
            ) : (
                <span>[]</span>
            );
        case 'string':
            return <Text value={json.value} />;
        case 'number':
            return <span class="json-number">{json.text}</span>;
        default:
            return <span class="json-literal">{String(json.value)}</span>;
    }
}

function Text({ value }: { value: string }): JSX.Element {
    const [all, setAll] = useState(false);
    const cut = !all && value.length > 400;
    return (
        <>
            <span class="json-string">"{cut ? `${value.slice(0, 400)}…` : value}"</span>
            {cut && (
                <Button kind="ghost" onClick={() => setAll(true)}>
                    Show all {value.length} characters
                </Button>
            )}
        </>
    );
}

function Group({
    depth,
    open,
    close,
    size,
    item,
}: {
    depth: number;
    open: string;
    close: string;
    size: number;
    item: (index: number) => ComponentChildren;
}): JSX.Element {
    const [shown, setShown] = useState(page);
    const [opened, setOpened] = useState(depth < 2 && size <= page);
    return (
        <details class="json-group" open={opened} onToggle={(e) => setOpened(e.currentTarget.open)}>
            <summary>
                {open}
                <span class="json-size">{size}</span>
                {close}
            </summary>
            {opened && (
                <ul>
                    {Array.from({ length: Math.min(size, shown) }, (_, i) => (
                        <li key={i}>{item(i)}</li>
                    ))}
                    {size > shown && (
                        <li>
                            <Button kind="ghost" onClick={() => setShown(shown + 10 * page)}>
                                Show more: {size - shown} are left
                            </Button>
                        </li>
                    )}
                </ul>
            )}
        </details>
    );
}
