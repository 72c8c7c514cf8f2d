// node main.mjs PEER setup | insert COUNT | drain COUNT, with PEER_URL and PEER_PAYLOAD in the environment.
// A quarter as many tasks go first, to warm up; it prints the seconds that the others took.
const [name, verb, count] = process.argv.slice(2);
const [total, warmUp] = [Number(count ?? 0), Number(count ?? 0) / 4];
const perInsert = 500;
const inserters = 4;

const { default: connect } = await import(`./${name}.mjs`);
const peer = await connect(process.env.PEER_URL, JSON.parse(process.env.PEER_PAYLOAD));
let since = process.hrtime.bigint();
if (verb === "setup") {
  await peer.setup();
} else if (verb === "insert") {
  await insert(warmUp);
  since = process.hrtime.bigint();
  await insert(total);
} else {
  let left = warmUp;
  await peer.drain(warmUp + total, (tasks) => {
    if (left > 0 && (left -= tasks) <= 0) since = process.hrtime.bigint();
  });
}

console.log(`seconds ${Number(process.hrtime.bigint() - since) / 1e9}`);
await peer.close();
process.exit(0);

async function insert(tasks) {
  let left = tasks;
  await Promise.all(
    Array.from({ length: inserters }, async () => {
      while (left > 0) {
        const size = Math.min(perInsert, left);
        left -= size;
        await peer.insert(size);
      }
    }),
  );
}
