import type { JSX } from 'preact';
import { useEffect, useId, useState } from 'preact/hooks';

export function Choice({
    label,
    value,
    options,
    change,
}: {
    label: string;
    value: string;
    options: (string | [string, string])[];
    change: (value: string) => void;
}): JSX.Element {
    const id = useId();
    return (
        <p class="field inline-field">
            <label for={id}>{label}</label>
            <select id={id} class="input" value={value} onChange={(e) => change(e.currentTarget.value)}>
                {options.map((o) =>
                    typeof o === 'string' ? (
                        <option key={o} value={o}>
                            {o}
                        </option>
                    ) : (
                        <option key={o[0]} value={o[0]}>
                            {o[1]}
                        </option>
                    ),
                )}
            </select>
        </p>
    );
}

/** Text that filters a list when it is entered. */
export function TextFilter({
    label,
    value,
    change,
    list,
    long,
}: {
    label: string;
    value: string;
    change: (value: string) => void;
    list?: string[];
    long?: boolean;
}): JSX.Element {
    const id = useId();
    const [text, setText] = useState(value);
    useEffect(() => setText(value), [value]);
    return (
        <form
            class={long ? 'field inline-field long' : 'field inline-field'}
            onSubmit={(e) => {
                e.preventDefault();
                change(text.trim());
            }}
        >
            <label for={id}>{label}</label>
            <input
                id={id}
                class="input"
                value={text}
                list={list && `${id}-list`}
                onInput={(e) => setText(e.currentTarget.value)}
                onChange={(e) => change(e.currentTarget.value.trim())}
            />
            {list && (
                <datalist id={`${id}-list`}>
                    {list.slice(0, 200).map((o) => (
                        <option key={o} value={o} />
                    ))}
                </datalist>
            )}
        </form>
    );
}
