// The Vercel AI SDK with its provider for OpenAI-compatible servers, unchanged, against a server whose upstream is a model server.
// usage: node vercel.mjs BASE_URL KEY; the checks of checks.mjs.
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, embed, embedMany, generateImage, generateText, Output, stepCountIs, streamText, tool } from 'ai';
import { z } from 'zod';
import { assert, check, collect, faultOf } from './checks.mjs';

const [baseURL, apiKey] = process.argv.slice(2);
const provider = (more) => createOpenAICompatible({ name: 'taskqueue', baseURL, apiKey, includeUsage: true, supportsStructuredOutputs: true, ...more });
const queue = provider();
const weather = tool({ inputSchema: z.object({ city: z.string() }), execute: ({ city }) => `sunny in ${city}` });

/** The fault that a stream reports as one of its parts. */
const faultIn = async (prompt) => {
  const stream = streamText({ model: queue('m'), prompt, maxRetries: 0, onError: () => {} });
  const part = (await collect(stream.fullStream)).find((p) => p.type === 'error');
  assert.ok(part, 'the stream has no error');
  return part.error;
};

await check('chat', async () => {
  const { text, usage, finishReason } = await generateText({ model: queue('m'), prompt: 'hello' });
  assert.equal(text, 'You said hello');
  assert.equal(usage.totalTokens, 5);
  assert.equal(finishReason, 'stop');
});

await check('streams', async () => {
  const stream = streamText({ model: queue('m'), prompt: 'hello' });
  const pieces = await collect(stream.textStream);
  assert.ok(pieces.length > 1);
  assert.equal(pieces.join(''), 'You said hello');
  assert.equal((await stream.usage).totalTokens, 5);
});

await check('tools', async () => {
  const settings = { model: queue('m'), prompt: 'weather', tools: { weather }, stopWhen: stepCountIs(2) };
  assert.equal((await generateText(settings)).text, 'It is sunny in Paris');
  assert.equal(await streamText(settings).text, 'It is sunny in Paris');
});

await check('structured output', async () => {
  const output = Output.object({ schema: z.object({ city: z.string() }) });
  assert.deepEqual((await generateText({ model: queue('m'), prompt: 'which city', output })).output, { city: 'Paris' });
});

await check('completions', async () => {
  const model = queue.completionModel('m');
  assert.equal((await generateText({ model, prompt: 'hello' })).text, 'You said hello');
  assert.equal(await streamText({ model, prompt: 'hello' }).text, 'You said hello');
});

await check('embeddings', async () => {
  const model = queue.embeddingModel('m');
  assert.deepEqual((await embed({ model, value: 'hello' })).embedding, [5, 0.5]);
  assert.deepEqual((await embedMany({ model, values: ['hello', 'you'] })).embeddings, [[5, 0.5], [3, 0.5]]);
});

await check('images', async () => {
  assert.equal((await generateImage({ model: queue.imageModel('m'), prompt: 'a dot' })).image.base64, 'aGk=');
});

await check('errors', async () => {
  const refused = await faultOf(() => generateText({ model: queue('m'), prompt: 'refuse' }));
  assert.ok(APICallError.isInstance(refused));
  assert.deepEqual([refused.statusCode, refused.data.error.code, refused.isRetryable], [400, 'context_length_exceeded', false]);
  assert.equal((await faultIn('refuse')).statusCode, 400);
  assert.equal((await faultIn('refuse plainly')).statusCode, 422);
  assert.match(`${(await faultIn('break')).message ?? (await faultIn('break'))}`, /connection broke/);
  const stranger = await faultOf(() => generateText({ model: provider({ apiKey: 'wrong' })('m'), prompt: 'hello' }));
  assert.equal(stranger.statusCode, 401);
  assert.ok(stranger.data.error.message);
});

await check('retries', async () => {
  assert.equal((await generateText({ model: queue('m-busy'), prompt: 'busy for vercel' })).text, 'You said busy for vercel');
});
