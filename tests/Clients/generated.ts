// A program on the types that openapi-typescript makes of docs/openapi.json: it must compile, and the wrong lines must not.
import type { components, operations, paths } from './schema';

type Schemas = components['schemas'];
type Name = keyof operations;
type Json<T> = T extends { content: { 'application/json': infer J } } ? J : never;
type Body<N extends Name> = operations[N] extends { requestBody: infer B } ? Json<B> : never;
type Answer<N extends Name> = Json<operations[N]['responses'][keyof operations[N]['responses'] & (200 | 201 | 202)]>;

declare const process: { argv: string[] };

async function call<N extends Name>(
    method: string,
    template: keyof paths,
    values: Record<string, string> = {},
    body?: Body<N>,
): Promise<Answer<N>> {
    const path = template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(values[name] ?? ''));
    const answer = await fetch(process.argv[2] + path, {
        method,
        headers: { 'content-type': 'application/json' },
        body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
    return (await answer.json()) as Answer<N>;
}

const enqueue = (task: Schemas['TaskBody']) => call<'enqueueTask'>('POST', '/tasks', {}, task);

export const batch = (body: paths['/v1/batches']['post']['requestBody']['content']['application/json']): Promise<Schemas['OpenAIBatch']> =>
    call<'createV1Batch'>('POST', '/v1/batches', {}, body);

export const batches: Body<'createV1Batch'>[] = [
    { input_file_id: 'file-1', endpoint: '/v1/chat/completions', completion_window: '24h', metadata: { team: 'a' } },
];

export const search: NonNullable<operations['listTasks']['parameters']['query']> = { state: ['failed', 'expired'], limit: 10 };

export const wrong: unknown[] = [
    // @ts-expect-error action is missing
    { queue: 'mail' } satisfies Schemas['TaskBody'],
    // @ts-expect-error a misspelt member
    { action: 'send', dedup_key: 'a' } satisfies Schemas['TaskBody'],
    // @ts-expect-error a number in a text
    { action: 'send', max_attempts: '3' } satisfies Schemas['TaskBody'],
    // @ts-expect-error a misspelt member
    { file: 'file-1' } satisfies Body<'createV1Batch'>,
];

const queue = process.argv[3] ?? '';
const { id } = await enqueue({ action: 'greet', data: { name: 'Ann' }, queue, max_attempts: 2, retry: { intervals: [1, 2.5] } });
const task = await call<'getTask'>('GET', '/tasks/{id}', { id });
const attempts: number = task.max_attempts;
const listed = await call<'listQueues'>('GET', '/queues');
const running: number | undefined = listed.queues.find((q) => q.name === queue)?.max_running;
console.log(`${task.id === id} ${task.status} ${task.name} ${attempts} ${running}`);
