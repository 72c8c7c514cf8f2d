// A client of gRPC that shares nothing with the server's: the life of a task over Moab's v0, errors with their details, compression, and a signature.
// usage: node moab.mjs ADDRESS PROTO KEY SIGNING_ID SIGNING_SECRET; prints one line of JSON.
import { createHash, createHmac } from 'node:crypto';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';

const [address, proto, key, signingId, signingSecret] = process.argv.slice(2);
const definition = loader.loadSync(proto, { keepCase: true, longs: String, enums: String, defaults: true });
const { MoabApi } = grpc.loadPackageDefinition(definition).com.evrblk.moab.v0;
const connect = (options) => new MoabApi(address, grpc.credentials.createInsecure(), options);

const metadata = (members) => {
  const made = new grpc.Metadata();
  for (const [name, value] of Object.entries(members)) made.set(name, value);
  return made;
};
const bearer = { authorization: `Bearer ${key}` };
const call = (client, rpc, request, members = bearer) => new Promise((resolve, reject) => {
  client[rpc](request, metadata(members), { deadline: Date.now() + 60_000 }, (error, answer) => (error ? reject(error) : resolve(answer)));
});
const refused = async (rpc, request, members) => {
  try {
    await call(client, rpc, request, members);
    return null;
  } catch (error) {
    return { code: error.code, message: error.details, status: error.metadata.get('grpc-status-details-bin')[0]?.toString('base64') };
  }
};

const client = connect({});
const queue_name = 'node';
const created = (await call(client, 'CreateQueue', { name: queue_name, keepalive_timeout_in_seconds: 15, retry_strategy: { retry_intervals_in_seconds: ['1'] } })).queue;
const payload = Buffer.from('{"text":"é"}');
const enqueued = (await call(client, 'Enqueue', { queue_name, entries: [{ payload, dedupe_key: 'k', thread_id: 'T' }] })).tasks;
const duplicates = (await call(client, 'Enqueue', { queue_name, entries: [{ payload, dedupe_key: 'k' }] })).tasks;
const taken = (await call(client, 'Dequeue', { queue_name, batch_size: 10 })).tasks;
const reported = (await call(client, 'ReportStatus', {
  queue_name, entries: [{ task_id: taken[0].id, attempt: taken[0].attempts, status: 'STATUS_SUCCEEDED' }],
})).entries;
const gone = await refused('GetTask', { queue_name, task_id: taken[0].id });

const waiting = call(client, 'Dequeue', { queue_name }, { ...bearer, 'taskqueue-wait-seconds': '30' });
const compressing = connect({ 'grpc.default_compression_algorithm': grpc.compressionAlgorithms.gzip });
const large = Buffer.alloc(60_000, 'a');
await call(compressing, 'Enqueue', { queue_name, entries: [{ payload: large }] });
const waited = (await waiting).tasks;

const sign = (rpc, request) => {
  const seconds = Math.floor(Date.now() / 1000);
  const stamp = Buffer.alloc(8);
  stamp.writeBigInt64BE(BigInt(seconds));
  const signed = Buffer.concat([stamp, Buffer.from(`Moab.${rpc}`), MoabApi.service[rpc].requestSerialize(request)]);
  const day = new Date(seconds * 1000).toISOString().slice(0, 10);
  const dayKey = createHash('sha256').update(day).update(Buffer.from(signingSecret, 'base64')).digest();
  return {
    'evrblk-api-key-id': signingId, 'evrblk-timestamp': `${seconds}`,
    'evrblk-signature': createHmac('sha256', dayKey).update(signed).digest('hex'),
  };
};
const question = { queue_name };
const read = await call(client, 'GetQueue', question, sign('GetQueue', question));
const forged = await refused('GetQueue', question, sign('GetQueue', { queue_name: 'other' }));
client.close();
compressing.close();

console.log(JSON.stringify({
  created, id: enqueued[0].id, duplicates: duplicates.length, taken: taken.map((t) => ({ ...t, payload: t.payload.toString() })), reported, gone,
  waited: waited.map((t) => t.payload.equals(large)), stats: read.stats, forged,
}));
