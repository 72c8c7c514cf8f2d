// graphile-worker with the settings of its page on performance: a local queue and batched completion.
import { Logger, makeWorkerUtils, run } from "graphile-worker";

export default async function connect(connectionString, payload) {
  const preset = {
    worker: {
      connectionString,
      concurrentJobs: 24,
      maxPoolSize: 25,
      localQueue: { size: 500 },
      completeJobBatchDelay: 0,
      failJobBatchDelay: 0,
      logger: new Logger(() => (level, message) => level === "error" && console.error(message)),
    },
  };
  const utils = await makeWorkerUtils({ preset });
  return {
    setup: () => utils.migrate(),
    insert: (size) => utils.addJobs(Array.from({ length: size }, () => ({ identifier: "noop", payload }))),
    async drain(total, done) {
      let left = total;
      let end;
      const drained = new Promise((resolve) => (end = resolve));
      const taskList = {
        noop() {
          done(1);
          if (--left === 0) end();
        },
      };
      const runner = await run({ preset, taskList });
      await drained;
      await runner.stop(); // completes what has run
    },
    close: () => utils.release(),
  };
}
