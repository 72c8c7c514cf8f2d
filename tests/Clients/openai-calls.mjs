// The official JavaScript client, unchanged, against a server whose upstream is a model server.
// usage: node openai-calls.mjs BASE_URL KEY PACKAGE; PACKAGE is openai or openai-4. The checks of checks.mjs.
import { createServer } from 'node:http';
import { assert, check, collect, faultOf, until } from './checks.mjs';

const [baseURL, apiKey, name] = process.argv.slice(2);
const { default: OpenAI, toFile } = await import(name);
const client = new OpenAI({ baseURL, apiKey });
const helpers = client.beta.chat?.completions ?? client.chat.completions; // where older ones have them

const user = (content) => [{ role: 'user', content }];
const weather = {
  type: 'function',
  function: { name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } },
};
const line = (id, content) =>
  JSON.stringify({ custom_id: id, method: 'POST', url: '/v1/chat/completions', body: { model: 'm', messages: user(content) } });
const upload = async (lines, more) =>
  client.files.create({ purpose: 'batch', file: await toFile(Buffer.from(lines.join('\n')), 'in.jsonl'), ...more });
const submit = (file, more) =>
  client.batches.create({ input_file_id: file.id, endpoint: '/v1/chat/completions', completion_window: '24h', ...more });
const end = (batch) =>
  until(() => client.batches.retrieve(batch.id), (b) => ['completed', 'failed', 'expired', 'cancelled'].includes(b.status));
const linesOf = async (id) => (await (await client.files.content(id)).text()).trim().split('\n').map((l) => JSON.parse(l));

await check('files', async () => {
  const file = await upload([line('a', 'one'), line('b', 'two')], { expires_after: { anchor: 'created_at', seconds: 3600 } });
  assert.equal(file.expires_at - file.created_at, 3600);
  assert.equal((await client.files.waitForProcessing(file.id)).status, 'processed');
  assert.deepEqual(await client.files.retrieve(file.id), file);
  assert.ok((await collect(client.files.list({ purpose: 'batch', limit: 1 }))).some((f) => f.id === file.id));
  assert.equal((await linesOf(file.id)).length, 2);
  assert.equal(((await client.files.delete?.(file.id)) ?? (await client.files.del(file.id))).deleted, true);
});

await check('uploads', async () => {
  const parts = [Buffer.from('first,'), Buffer.from('second')];
  const begun = await client.uploads.create({ bytes: 12, filename: 'in.jsonl', mime_type: 'application/jsonl', purpose: 'batch' });
  const ids = [];
  for (const part of parts) ids.push((await client.uploads.parts.create(begun.id, { data: await toFile(part, 'part') })).id);
  const done = await client.uploads.complete(begun.id, { part_ids: ids });
  assert.equal(done.status, 'completed');
  assert.equal(await (await client.files.content(done.file.id)).text(), 'first,second');
  const other = await client.uploads.create({ bytes: 1, filename: 'in.jsonl', mime_type: 'application/jsonl', purpose: 'batch' });
  assert.equal((await client.uploads.cancel(other.id)).status, 'cancelled');
});

await check('batches', async () => {
  const created = await submit(await upload([line('a', 'one'), line('b', 'two'), line('c', 'refuse')]), { metadata: { by: name } });
  assert.equal(created.status, 'validating');
  const batch = await end(created);
  assert.equal(batch.status, 'completed');
  assert.deepEqual(batch.request_counts, { total: 3, completed: 2, failed: 1 });
  assert.deepEqual(batch.metadata, { by: name });
  const output = await linesOf(batch.output_file_id);
  assert.deepEqual(output.map((l) => `${l.custom_id} ${l.response.body.choices[0].message.content}`).sort(), ['a You said one', 'b You said two']);
  const [error] = await linesOf(batch.error_file_id);
  assert.equal(error.custom_id, 'c');
  assert.equal(error.response.status_code, 400);
  const other = await submit(await upload([line('a', 'one')]));
  assert.ok(['cancelling', 'cancelled', 'completed'].includes((await client.batches.cancel(other.id)).status));
  assert.ok(['cancelled', 'completed'].includes((await end(other)).status));
  const listed = await collect(client.batches.list({ limit: 1 }));
  assert.ok([created.id, other.id].every((id) => listed.some((b) => b.id === id)));
});

await check('refused batches', async () => {
  const batch = await end(await submit(await upload([line('a', 'one'), 'no JSON'])));
  assert.equal(batch.status, 'failed');
  assert.equal(batch.errors.data[0].line, 2);
  const missing = await faultOf(() => submit({ id: 'file-1' }));
  assert.ok(missing instanceof OpenAI.APIError && [400, 404].includes(missing.status));
  assert.ok((await faultOf(() => client.batches.retrieve('batch_1'))) instanceof OpenAI.NotFoundError);
});

await check('chat', async () => {
  const answer = await client.chat.completions.create({ model: 'm', messages: user('hello') });
  assert.equal(answer.choices[0].message.content, 'You said hello');
  assert.equal(answer.usage.total_tokens, 5);
  assert.match(answer._request_id, /^TASK-/);
});

await check('streams', async () => {
  const stream = await client.chat.completions.create({
    model: 'm', messages: user('hello'), stream: true, stream_options: { include_usage: true },
  });
  const chunks = await collect(stream);
  assert.equal(chunks.map((c) => c.choices[0]?.delta.content ?? '').join(''), 'You said hello');
  assert.equal(chunks.at(-1).usage.total_tokens, 5);
  const helped = helpers.stream({ model: 'm', messages: user('again') });
  assert.equal(await helped.finalContent(), 'You said again');
});

await check('tools', async () => {
  const run = helpers.runTools({
    model: 'm',
    messages: user('weather'),
    tools: [{ ...weather, function: { ...weather.function, parse: JSON.parse, function: ({ city }) => `sunny in ${city}` } }],
  });
  assert.equal(await run.finalContent(), 'It is sunny in Paris');
  const stream = helpers.stream({ model: 'm', messages: user('weather'), tools: [weather] });
  const { tool_calls: calls } = await stream.finalMessage();
  assert.deepEqual(JSON.parse(calls[0].function.arguments), { city: 'Paris' });
});

await check('structured output', async () => {
  const answer = await helpers.parse({
    model: 'm',
    messages: user('which city'),
    response_format: { type: 'json_schema', json_schema: { name: 'city', strict: true, schema: weather.function.parameters } },
  });
  assert.deepEqual(answer.choices[0].message.parsed, { city: 'Paris' });
});

await check('completions', async () => {
  assert.equal((await client.completions.create({ model: 'm', prompt: 'hello' })).choices[0].text, 'You said hello');
});

await check('responses', async () => {
  assert.equal((await client.responses.create({ model: 'm', input: 'hello' })).output_text, 'You said hello');
  const events = await collect(await client.responses.create({ model: 'm', input: 'hello', stream: true }));
  assert.equal(events.filter((e) => e.type === 'response.output_text.delta').map((e) => e.delta).join(''), 'You said hello');
  assert.equal(events.at(-1).type, 'response.completed');
});

await check('embeddings', async () => {
  const { data } = await client.embeddings.create({ model: 'm', input: ['hello', 'you'] }); // asks for base64
  assert.deepEqual(data.map((d) => [...d.embedding]), [[5, 0.5], [3, 0.5]]);
});

await check('moderations', async () => {
  assert.equal((await client.moderations.create({ model: 'm', input: 'hello' })).results[0].flagged, false);
});

await check('images', async () => {
  assert.equal((await client.images.generate({ model: 'm', prompt: 'a dot' })).data[0].b64_json, 'aGk=');
});

await check('models', async () => {
  assert.ok((await collect(client.models.list())).some((m) => m.id === 'm'));
  assert.equal((await client.models.retrieve('m')).object, 'model');
});

await check('errors', async () => {
  const refused = await faultOf(() => client.chat.completions.create({ model: 'm', messages: user('refuse') }));
  assert.ok(refused instanceof OpenAI.BadRequestError);
  assert.deepEqual([refused.code, refused.param], ['context_length_exceeded', 'messages']);
  const stream = await faultOf(() => client.chat.completions.create({ model: 'm', messages: user('refuse'), stream: true }));
  assert.ok(stream instanceof OpenAI.BadRequestError);
  const plain = await faultOf(() => client.chat.completions.create({ model: 'm', messages: user('refuse plainly'), stream: true }));
  assert.equal(plain.status, 422);
  const broken = await faultOf(async () =>
    collect(await client.chat.completions.create({ model: 'm', messages: user('break'), stream: true })));
  assert.ok(broken instanceof OpenAI.APIError);
  const stranger = await faultOf(() => new OpenAI({ baseURL, apiKey: 'wrong' }).chat.completions.create({ model: 'm', messages: user('hello') }));
  assert.ok(stranger instanceof OpenAI.AuthenticationError);
  const nameless = await faultOf(() => client.chat.completions.create({ messages: user('hello') }));
  assert.ok(nameless instanceof OpenAI.BadRequestError);
  assert.equal(nameless.param, 'model');
  assert.ok((await faultOf(() => client.fineTuning.jobs.list())) instanceof OpenAI.NotFoundError);
});

await check('retries', async () => {
  const answer = await client.chat.completions.create({ model: 'm-busy', messages: user(`busy for ${name}`) });
  assert.equal(answer.choices[0].message.content, `You said busy for ${name}`);
});

if (client.webhooks)
  await check('webhooks', async () => {
    const sent = await new Promise((resolve, reject) => {
      const receiver = createServer(async (request, response) => {
        const body = (await request.toArray()).join('');
        response.end();
        receiver.close();
        resolve({ body, headers: request.headers });
      }).listen(0, '127.0.0.1', async () => {
        try {
          await submit(await upload([line('a', 'one')]), { metadata: { callback_url: `http://127.0.0.1:${receiver.address().port}/` } });
        } catch (fault) {
          receiver.close();
          reject(fault);
        }
      });
    });
    const answer = await fetch(new URL('/webhooks/secret', baseURL), { headers: { authorization: `Bearer ${apiKey}` } });
    const event = await client.webhooks.unwrap(sent.body, sent.headers, (await answer.json()).secrets[0]);
    assert.equal(event.type, 'batch.completed');
    assert.equal((await client.batches.retrieve(event.data.id)).status, 'completed');
  });
