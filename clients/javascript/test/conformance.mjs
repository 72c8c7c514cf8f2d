// The worker that the conformance tests of the server run: node test/conformance.mjs SERVER OPTIONS, both as its tests give them.
import { existsSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { Client, PermanentFailure, Snooze, Worker } from "taskqueue-client";

const [server, text] = process.argv.slice(2);
const options = JSON.parse(text);
const worker = new Worker(new Client(server, { key: process.env.TASKQUEUE_KEY }), [options.queue], {
  name: options.name,
  slots: options.slots,
  prefetch: options.prefetch,
  lease: options.lease,
  drainTimeout: options.drain_timeout,
  unknownNames: options.unknown_names,
});
const snoozes = new Map();

worker
  .handle("echo", () => {
    throw new Error("the last handler of a name wins");
  })
  .handle("echo", (task) => task.data)
  .handle("none", () => {})
  .handle("fail", (task) => {
    throw new PermanentFailure(task.data.message);
  })
  .handle("throw", async (task) => {
    if (task.attempt <= task.data.times) throw new RangeError(`row ${task.attempt} of '${task.id}' is broken`);
    return task.attempt;
  })
  .handle("snooze", (task) => {
    const runs = (snoozes.get(task.id) ?? 0) + 1;
    snoozes.set(task.id, runs);
    if (runs <= 3) throw new Snooze(0.05);
    return runs;
  })
  .handle("log", async (task) => {
    task.log(`attempt ${task.attempt} begins`);
    task.log("careful", "warning");
    if (task.attempt === 1) throw new Error("boom");
    await waitFor(task);
    task.log("x".repeat(20_000), "error");
    return 1;
  })
  .handle("wait", async (task) => {
    console.log("started", task.id);
    if ("progress" in task.data) task.progress(task.data.progress);
    if (await waitFor(task)) return task.data.result;
    console.log("cancelled", task.id, task.leaseLost ? "lost" : "released");
    return "too late";
  })
  .handle("large", (task) => "x".repeat(task.data.characters));

/** Until the file exists that opens the gate; false if the task is cancelled before. */
async function waitFor(task) {
  while (!existsSync(task.data.gate)) {
    if (task.signal.aborted) return false;
    await pause(20);
  }
  return true;
}

await worker.run();
console.log("ended");
