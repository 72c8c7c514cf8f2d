// A worker: node examples/worker.mjs http://localhost:8080 QUEUE
import { setTimeout as pause } from "node:timers/promises";
import { Client, PermanentFailure, Worker } from "taskqueue-client";

const [server, queue] = process.argv.slice(2);
if (!queue) {
  console.error("usage: node examples/worker.mjs http://localhost:8080 QUEUE");
  process.exit(2);
}
const client = new Client(server, { key: process.env.TASKQUEUE_KEY });
const worker = new Worker(client, [queue], { slots: 4, logger: console });

worker.handle("upper", (task) => {
  const { text } = task.data;
  if (text === "") throw new PermanentFailure("there is no text");
  task.log(`${text.length} characters`);
  return { output: text.toUpperCase() }; // an exception: the attempt failed, and is retried while attempts are left
});

worker.handle("count", async (task) => {
  const { until } = task.data;
  for (let number = 0; number < until; number++) {
    task.progress({ done: number / until });
    await pause(100, undefined, { signal: task.signal }); // throws when cancelled, or another attempt's, or the worker stops
  }
  return until;
});

await worker.run();
