// A worker that needs nothing but node 18: node worker.mjs http://localhost:8080 QUEUE
const [server, queue] = process.argv.slice(2);
if (!queue) {
  console.error("usage: node worker.mjs http://localhost:8080 QUEUE");
  process.exit(2);
}
const name = `javascript:${process.pid}`;
const key = process.env.TASKQUEUE_KEY;
const lease = 15;
const held = new Map(); // id -> attempt: claimed and not reported
let stopping = false;

const pause = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

async function post(path, body) {
  const answer = await fetch(new URL(path, server), {
    method: "POST",
    headers: { "Content-Type": "application/json", ...(key ? { Authorization: `Bearer ${key}` } : {}) },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(40_000),
  });
  if (!answer.ok) throw Object.assign(new Error(`${answer.status} ${await answer.text()}`), { status: answer.status });
  return (await answer.json()).tasks;
}

// Tries until the server has it; a second report changes nothing.
async function report(task, outcome) {
  for (;;) {
    try {
      await post("/workers/report", { tasks: [{ id: task.id, attempt: task.attempt, ...outcome }] });
      held.delete(task.id);
      return;
    } catch (fault) {
      if (fault.status === 400 || fault.status === 413)
        outcome = { outcome: "failed", error: `the outcome was refused: ${fault.status}`, retryable: false };
      await pause(1);
    }
  }
}

// Keeps the leases of everything that is held; forgets what the server says is gone.
async function beat() {
  const tasks = [...held].map(([id, attempt]) => ({ id, attempt }));
  if (tasks.length === 0) return;
  try {
    for (const answer of await post("/workers/heartbeat", { tasks }))
      if (["finished", "stale_attempt", "not_found"].includes(answer.code)) held.delete(answer.id);
  } catch (fault) {
    console.error("heartbeat:", fault.message);
  }
}

async function work(name, data) {
  if (name === "upper") return { output: data.text.toUpperCase() };
  throw new Error(`no processor for ${name}`);
}

async function run(task) {
  let result;
  try {
    result = await work(task.name, task.payload?.data ?? task.payload);
  } catch (fault) { // tried again while attempts are left
    return report(task, { outcome: "failed", error: String(fault.message ?? fault) });
  }
  return report(task, { outcome: "completed", result });
}

for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => { stopping = true; });
const beats = setInterval(beat, (lease / 3) * 1000);
console.log("ready");
while (!stopping) {
  let tasks;
  try {
    tasks = await post("/workers/claim", { queues: [queue], worker: name, max: 5, lease_seconds: lease, wait_seconds: 1 });
  } catch (fault) {
    console.error("claim:", fault.message);
    await pause(2);
    continue;
  }
  for (const task of tasks) held.set(task.id, task.attempt);
  for (const task of tasks) {
    if (stopping) await report(task, { outcome: "snoozed", delay_seconds: 0 }); // another worker takes it; no attempt is counted
    else if (held.has(task.id)) await run(task);
  }
}
clearInterval(beats);
