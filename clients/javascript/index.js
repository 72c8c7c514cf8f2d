export { Client } from "./src/client.js";
export { PermanentFailure, Snooze, TaskQueueError } from "./src/errors.js";
export { TaskContext } from "./src/task.js";
export { Worker } from "./src/worker.js";
