// The official JavaScript client, unchanged: uploads, creates, polls, lists, cancels and downloads batches.
// usage: node openai.mjs BASE_URL KEY QUEUE; prints one line of JSON.
import OpenAI, { toFile } from 'openai';

const [baseURL, apiKey, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey });

const line = (n) => JSON.stringify({ custom_id: `r${n}`, method: 'POST', url: '/v1/chat/completions', body: { model, n } });
const upload = async (count) => client.files.create({
  purpose: 'batch',
  file: await toFile(Buffer.from(Array.from({ length: count }, (_, n) => line(n)).join('\n')), 'in.jsonl'),
});
const create = async (file) => client.batches.create({ input_file_id: file.id, endpoint: '/v1/chat/completions', completion_window: '24h', metadata: { by: 'js' } });
const until = async (id, done) => {
  for (;;) {
    const batch = await client.batches.retrieve(id);
    if (done(batch)) return batch;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
};

const file = await upload(3);
const created = await create(file);
const completed = await until(created.id, (b) => ['completed', 'failed', 'expired', 'cancelled'].includes(b.status));
const output = await (await client.files.content(completed.output_file_id)).text();

const second = await create(await upload(2));
const cancelled = await client.batches.cancel(second.id);
const ended = await until(second.id, (b) => b.status === 'cancelled' || b.status === 'completed');

const listed = [];
for await (const batch of client.batches.list({ limit: 1 })) {
  listed.push(batch.id);
  if (listed.length === 2) break;
}

let missing = null;
try {
  await client.batches.retrieve('BATCH-1-1-251111201500-0001-000001');
} catch (error) {
  missing = error.status;
}

console.log(JSON.stringify({
  file, created, completed, output, second: second.id, cancelled: cancelled.status, ended: ended.status, listed, missing,
}));
