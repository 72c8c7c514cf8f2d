// LangChain.js with its classes for OpenAI, unchanged, against a server whose upstream is a model server.
// usage: node langchain.mjs BASE_URL KEY; the checks of checks.mjs.
import { HumanMessage, ToolMessage } from '@langchain/core/messages';
import { ChatOpenAI, OpenAI, OpenAIEmbeddings } from '@langchain/openai';
import { z } from 'zod';
import { assert, check, collect, faultOf } from './checks.mjs';

const [baseURL, apiKey] = process.argv.slice(2);
const settings = (more) => ({ model: 'm', apiKey, configuration: { baseURL }, ...more });
const chat = (more) => new ChatOpenAI(settings(more));
const city = z.object({ city: z.string() });

await check('chat', async () => {
  const answer = await chat().invoke('hello');
  assert.equal(answer.content, 'You said hello');
  assert.equal(answer.usage_metadata.total_tokens, 5);
});

await check('streams', async () => {
  const chunks = await collect(await chat().stream('hello'));
  assert.ok(chunks.length > 1);
  assert.equal(chunks.map((c) => c.content).join(''), 'You said hello');
  assert.equal(chunks.find((c) => c.usage_metadata).usage_metadata.total_tokens, 5);
});

await check('tools', async () => {
  const model = chat().bindTools([{ name: 'weather', description: 'the weather in a city', schema: city }]);
  const asked = await model.invoke('weather');
  const [call] = asked.tool_calls;
  assert.deepEqual([call.name, call.args], ['weather', { city: 'Paris' }]);
  const history = [new HumanMessage('weather'), asked, new ToolMessage({ content: 'sunny in Paris', tool_call_id: call.id })];
  assert.equal((await model.invoke(history)).content, 'It is sunny in Paris');
  const whole = (await collect(await model.stream('weather'))).reduce((sum, chunk) => sum.concat(chunk));
  assert.deepEqual(whole.tool_calls[0].args, { city: 'Paris' });
});

await check('structured output', async () => {
  assert.deepEqual(await chat().withStructuredOutput(city, { method: 'jsonSchema' }).invoke('which city'), { city: 'Paris' });
});

await check('many calls', async () => {
  const answers = await chat({ maxConcurrency: 4 }).batch(Array.from({ length: 12 }, (_, n) => `call ${n}`));
  assert.deepEqual(answers.map((a) => a.content), Array.from({ length: 12 }, (_, n) => `You said call ${n}`));
});

await check('completions', async () => {
  assert.equal(await new OpenAI(settings()).invoke('hello'), 'You said hello');
});

await check('responses', async () => {
  const model = chat({ useResponsesApi: true });
  assert.equal((await model.invoke('hello')).text, 'You said hello');
  assert.equal((await collect(await model.stream('hello'))).map((c) => c.text).join(''), 'You said hello');
});

await check('embeddings', async () => {
  const embeddings = new OpenAIEmbeddings(settings());
  assert.deepEqual([...(await embeddings.embedQuery('hello'))], [5, 0.5]);
  assert.deepEqual((await embeddings.embedDocuments(['hello', 'you'])).map((e) => [...e]), [[5, 0.5], [3, 0.5]]);
});

await check('errors', async () => {
  const refused = await faultOf(() => chat().invoke('refuse'));
  assert.equal(refused.name, 'ContextOverflowError');
  assert.ok(await faultOf(async () => collect(await chat().stream('refuse'))));
  assert.equal((await faultOf(async () => collect(await chat({ maxRetries: 0 }).stream('refuse plainly')))).status, 422);
  assert.ok(await faultOf(async () => collect(await chat().stream('break'))));
  const stranger = await faultOf(() => chat({ apiKey: 'wrong' }).invoke('hello'));
  assert.deepEqual([stranger.status, stranger.lc_error_code], [401, 'MODEL_AUTHENTICATION']);
});

await check('retries', async () => {
  assert.equal((await chat({ model: 'm-busy' }).invoke('busy for langchain')).content, 'You said busy for langchain');
});
