// BullMQ on Redis: one worker, whose concurrency lets the calls of its jobs travel together.
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";

const name = "bench";
const concurrency = 100;

export default async function connect(url, payload) {
  const options = { maxRetriesPerRequest: null, enableAutoPipelining: true };
  const connection = new Redis(url, options);
  const queue = new Queue(name, { connection });
  return {
    setup: () => queue.waitUntilReady(),
    insert: (size) => queue.addBulk(Array.from({ length: size }, () => ({ name: "noop", data: payload }))),
    async drain(total, done) {
      let left = total;
      let end;
      const drained = new Promise((resolve) => (end = resolve));
      const worker = new Worker(name, async () => {}, { connection: new Redis(url, options), concurrency });
      worker.on("error", console.error);
      worker.on("completed", () => {
        done(1);
        if (--left === 0) end();
      });
      await drained;
      await worker.close();
    },
    async close() {
      await queue.close();
      connection.disconnect();
    },
  };
}
