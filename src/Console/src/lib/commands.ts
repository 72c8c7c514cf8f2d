/** What does the same from a terminal. */
export interface Commands {
    curl: string;
    cli: string | null;
}

/** Quotes a word for a POSIX shell. */
export const quote = (word: string): string => (/^[A-Za-z0-9_./:=@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** The request and the command: the key comes from the environment, never from here. */
export function commands(method: string, url: string, cli: string[] | null, body?: unknown): Commands {
    const parts = ['curl', '-X', method, quote(url), '-H', '"Authorization: Bearer $TASKQUEUE_KEY"'];
    if (body !== undefined) parts.push('-H', "'Content-Type: application/json'", '-d', quote(JSON.stringify(body)));
    return { curl: parts.join(' '), cli: cli && ['taskqueue', ...cli.map(quote)].join(' ') };
}
