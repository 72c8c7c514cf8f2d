/** JSON as it was written: numbers keep their digits, objects the order of their members and repeated names. */
export type Json =
    | { kind: 'object'; members: [string, Json][] }
    | { kind: 'array'; items: Json[] }
    | { kind: 'string'; value: string }
    | { kind: 'number'; text: string }
    | { kind: 'literal'; value: true | false | null };

const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const space = /[ \t\n\r]*/y;
const text = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;

/** Parses JSON; throws a SyntaxError that names the position. */
export function parse(source: string): Json {
    let at = 0;
    const fail = (): never => {
        throw new SyntaxError(`Invalid JSON at character ${at}.`);
    };
    const take = (pattern: RegExp): string | null => {
        pattern.lastIndex = at;
        const match = pattern.exec(source);
        if (!match) return null;
        at += match[0].length;
        return match[0];
    };
    const skip = (): void => void take(space);
    const string = (): string => JSON.parse(take(text) ?? fail()) as string;
    const value = (depth: number): Json => {
        if (depth > 200) fail();
        const next = source[at];
        if (next === '"') return { kind: 'string', value: string() };
        if (next === '{') {
            const members: [string, Json][] = [];
            list('}', () => {
                const name = string();
                skip();
                if (source[at++] !== ':') fail();
                skip();
                members.push([name, value(depth + 1)]);
            });
            return { kind: 'object', members };
        }
        if (next === '[') {
            const items: Json[] = [];
            list(']', () => items.push(value(depth + 1)));
            return { kind: 'array', items };
        }
        for (const [word, literal] of [
            ['true', true],
            ['false', false],
            ['null', null],
        ] as const) {
            if (source.startsWith(word, at)) {
                at += word.length;
                return { kind: 'literal', value: literal };
            }
        }
        return { kind: 'number', text: take(number) ?? fail() };
    };
    const list = (end: string, item: () => void): void => {
        at++;
        skip();
        if (source[at] === end) {
            at++;
            return;
        }
        for (;;) {
            item();
            skip();
            const next = source[at++];
            if (next === end) return;
            if (next !== ',') fail();
            skip();
        }
    };
    skip();
    const result = value(0);
    skip();
    if (at < source.length) fail();
    return result;
}

/** An ordinary value: digits that a number cannot hold are lost here. */
export function toValue(json: Json): unknown {
    switch (json.kind) {
        case 'object':
            return Object.fromEntries(json.members.map(([name, value]) => [name, toValue(value)]));
        case 'array':
            return json.items.map(toValue);
        case 'number':
            return Number(json.text);
        default:
            return json.value;
    }
}

/** The last member with a name. */
export const member = (json: Json, name: string): Json | null =>
    json.kind === 'object' ? (json.members.findLast(([n]) => n === name)?.[1] ?? null) : null;

export const isNull = (json: Json | null): boolean => !json || (json.kind === 'literal' && json.value === null);

/** JSON text; with an indent, over several lines. */
export function write(json: Json, indent = '', level = ''): string {
    const inner = level + indent;
    const wrap = (open: string, parts: string[], close: string): string => {
        if (!parts.length) return open + close;
        return indent ? `${open}\n${parts.map((p) => inner + p).join(',\n')}\n${level}${close}` : open + parts.join(',') + close;
    };
    switch (json.kind) {
        case 'object':
            return wrap(
                '{',
                json.members.map(([n, v]) => `${JSON.stringify(n)}:${indent ? ' ' : ''}${write(v, indent, inner)}`),
                '}',
            );
        case 'array':
            return wrap(
                '[',
                json.items.map((v) => write(v, indent, inner)),
                ']',
            );
        case 'number':
            return json.text;
        case 'string':
            return JSON.stringify(json.value);
        default:
            return String(json.value);
    }
}
