// The sources are what index.d.ts declares, and what it declares is used as the README says. Compiled, never run.
import * as declared from "../index.js";
import { Client } from "../src/client.js";
import { PermanentFailure, Snooze, TaskQueueError } from "../src/errors.js";
import { TaskContext } from "../src/task.js";
import { Worker } from "../src/worker.js";

declare const client: Client, task: TaskContext, error: TaskQueueError, failure: PermanentFailure, snooze: Snooze, worker: Worker;

type Public<T> = Pick<T, keyof T>; // without private members, which make any two classes different

export const clients: Public<declared.Client> = client;
export const tasks: Public<declared.TaskContext> = task;
export const errors: Public<declared.TaskQueueError> = error;
export const failures: Public<declared.PermanentFailure> = failure;
export const snoozes: Public<declared.Snooze> = snooze;
export const workers: Omit<Public<declared.Worker>, "handle"> = worker;

export async function use(own: declared.Client): Promise<void> {
  const one: declared.Enqueued = await own.enqueue("mail", "send", { to: "ann" }, { max_attempts: 3, scheduled_at: new Date() });
  await own.enqueueMany([{ queue: "mail", name: "send", tags: ["eu"], retry: { intervals: [1] } }]);
  const read = await own.wait(one.id, { timeout: 5 });
  if (read.status === "completed") console.log(read.result);
  // @ts-expect-error: no such option
  await own.enqueue("mail", "send", {}, { maxAttempts: 3 });

  const working = new declared.Worker(own, ["mail"], { slots: 4, logger: console });
  working.handle<{ to: string }>("send", async (context) => {
    context.signal.throwIfAborted();
    context.progress({ done: 1 });
    context.log(context.data.to, "warning");
    // @ts-expect-error: no such level
    context.log("x", "loud");
    throw new declared.Snooze(30);
  });
  await working.run();
}
