// pg-boss: eight loops that fetch 100 and complete 100, as TaskQueue's workers do. Its own worker waits between two fetches.
import { setTimeout } from "node:timers/promises";
import { PgBoss } from "pg-boss";

const queue = "bench";
const loops = 8;
const batchSize = 100;

export default async function connect(connectionString, payload) {
  const boss = new PgBoss({ connectionString, max: 25 });
  boss.on("error", console.error);
  await boss.start();
  return {
    setup: () => boss.createQueue(queue),
    insert: (size) => boss.insert(queue, Array.from({ length: size }, () => ({ data: payload }))),
    async drain(total, done) {
      let left = total;
      await Promise.all(
        Array.from({ length: loops }, async () => {
          while (left > 0) {
            const ids = (await boss.fetch(queue, { batchSize })).map((job) => job.id);
            if (ids.length === 0) {
              await setTimeout(5);
              continue;
            }
            await boss.complete(queue, ids);
            left -= ids.length;
            done(ids.length);
          }
        }),
      );
    },
    close: () => boss.stop({ graceful: false }),
  };
}
