import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Client, Snooze, TaskQueueError, Worker } from "taskqueue-client";
import { Heartbeats } from "../src/heartbeats.js";
import { InFlight } from "../src/in-flight.js";
import { Reporter } from "../src/reporter.js";
import { TaskContext, depthOf } from "../src/task.js";
import { DROP, fakeServer, until } from "./fake.mjs";

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };
const ok = ({ tasks }) => [200, { tasks: tasks.map(({ id, attempt }) => ({ id, attempt, code: "ok" })) }];
const claimed = (number) => ({
  id: `t${number}`, attempt: 1, queue: "q", tier: 0, name: "a", payload: { data: number }, lease_seconds: 15, max_attempts: 4,
});

/** A worker of a fake server that gives it some tasks. */
async function run(t, tasks, handler, options = {}, prepare = () => {}) {
  let end = async () => {};
  const server = await fakeServer(t, () => end());
  Object.assign(server.defaults, {
    "/workers/claim": async () => {
      await pause(50);
      return [200, { tasks: [] }];
    },
    "/workers/heartbeat": ok,
    "/workers/report": ok,
    "/workers/stopped": [204, ""],
  });
  server.queued["/workers/claim"] = [[200, { tasks }]];
  server.reports = () => server.bodies("/workers/report").flatMap((b) => b.tasks);
  prepare(server);
  const worker = new Worker(new Client(server.url), ["q"], { logger: SILENT, ...options });
  worker.handle("a", handler);
  const running = worker.run({ signals: false });
  end = async () => {
    worker.stop();
    await running;
  };
  server.end = end;
  return server;
}

test("an outcome is reported until it arrives", async (t) => {
  const server = await run(t, [claimed(1)], (task) => task.data, {}, (s) => {
    s.queued["/workers/report"] = [DROP, [503, "busy"], [401, { detail: "who?" }]];
  });
  await until(() => server.reports().length === 4, "the fourth try");
  const report = { id: "t1", attempt: 1, outcome: "completed", result: 1 };
  assert.deepEqual(server.reports(), [report, report, report, report]);
});

test("claims come back after an outage", async (t) => {
  const start = performance.now();
  const server = await run(t, [], () => {}, {}, (s) => {
    s.queued["/workers/claim"] = [DROP, [429, { detail: "slower" }, { "Retry-After": "1" }], [200, "<html>"], [200, {}]];
  });
  await until(() => server.bodies("/workers/claim").length > 5, "claims after the outage");
  assert.ok(performance.now() - start > 990);
});

test("a refused log or stack does not fail its task nor another", async (t) => {
  const handler = (task) => {
    if (task.data === 1) task.log("bad");
    return task.data;
  };
  const server = await run(t, [claimed(1), claimed(2)], handler, {}, (s) => {
    s.defaults["/workers/report"] = (body) => (body.tasks.some((x) => x.logs) ? [400, { detail: "logs are bad" }] : ok(body));
  });
  await until(() => new Set(server.reports().filter((r) => !r.logs).map((r) => r.id)).size === 2, "both are reported");
  assert.ok(server.reports().every((r) => r.outcome === "completed"));
});

test("a refused result fails its task for good", async (t) => {
  const server = await run(t, [claimed(1)], () => "large", {}, (s) => {
    s.defaults["/workers/report"] = (body) => (body.tasks.some((x) => x.result) ? [413, { detail: "too large" }] : ok(body));
  });
  await until(() => server.reports().some((r) => r.outcome === "failed"), "the failure is reported");
  const { error, retryable } = server.reports().at(-1);
  assert.deepEqual([error, retryable], ["the server refused the outcome: too large", false]);
});

test("a failure has type and stack and a result that is no JSON is one", async (t) => {
  const server = await run(t, [claimed(1)], () => 1n);
  await until(() => server.reports().length > 0, "the report");
  const [{ outcome, retryable, error_type, stack }] = server.reports();
  assert.deepEqual([outcome, retryable, error_type], ["failed", true, "TypeError"]);
  assert.match(stack, /BigInt[^]*at /);
});

test("whatever a handler throws is a failure", async (t) => {
  const no = () => { throw new Error("no"); };
  const strange = [undefined, null, "text", { toString: no }, Object.create(null),
    Object.defineProperty(new Error("a"), "stack", { get: no }),
    Object.defineProperty(new Error("b"), "constructor", { get: no }),
    Object.defineProperty(new Error(), "message", { get: no }),
    new Proxy({}, { getPrototypeOf: no, get: no })];
  const logger = { debug: no, info: no, warn: no, error: no };
  const server = await run(t, strange.map((_, i) => claimed(i)), (task) => { throw strange[task.data]; }, { logger });
  await until(() => server.reports().length === strange.length, "all are reported");
  assert.ok(server.reports().every((r) => r.outcome === "failed" && r.error.length > 0));
});

test("heartbeats that fail keep progress and log for the next", async (t) => {
  let goOn;
  const server = await run(t, [claimed(1)], async (task) => {
    task.progress({ done: 0.5 });
    task.log("begun");
    await new Promise((done) => { goOn = done; });
  }, { lease: 1 }, (s) => { s.queued["/workers/heartbeat"] = [DROP]; });
  const later = () => server.bodies("/workers/heartbeat").slice(1).flatMap((b) => b.tasks);
  await until(() => later().some((x) => x.progress) && later().some((x) => x.logs), "progress and log arrive");
  assert.equal(later()[0].lease_seconds, 1);
  goOn();
});

test("progress in a loop is sent a few times a second", async (t) => {
  const server = await run(t, [claimed(1)], async (task) => {
    for (const end = Date.now() + 1000; Date.now() < end; await pause(1)) task.progress(Date.now());
  });
  await until(() => server.reports().length > 0, "the report");
  const beats = server.bodies("/workers/heartbeat").length;
  assert.ok(beats > 2 && beats < 15, `${beats} heartbeats`);
});

test("a worker ends though the server is gone", async (t) => {
  let done;
  const server = await run(t, [claimed(1)], () => { done = true; }, {}, (s) => { s.defaults["/workers/report"] = DROP; });
  await until(() => done, "it ran");
  const start = performance.now();
  await server.end();
  assert.ok(performance.now() - start < 15_000);
});

test("a lost task has its slot until its handler ends", async (t) => {
  let goOn;
  let isLost = false;
  const gone = ({ tasks }) => [200, { tasks: tasks.map(({ id, attempt }) => ({ id, attempt, code: "finished" })) }];
  const server = await run(t, [claimed(1)], async (task) => {
    if (task.data !== 1) return;
    await new Promise((done) => task.signal.addEventListener("abort", done));
    isLost = true;
    await new Promise((done) => { goOn = done; });
  }, { slots: 1, prefetch: 0, lease: 1 }, (s) => { s.defaults["/workers/heartbeat"] = gone; });
  t.after(() => goOn?.());
  await until(() => isLost, "it is lost");
  const claims = server.bodies("/workers/claim").length;
  server.queued["/workers/claim"] = [[200, { tasks: [claimed(2)] }]];
  await pause(200); // time for a claim that must not come
  assert.equal(server.bodies("/workers/claim").length, claims);
  goOn();
  await until(() => server.reports().length > 0, "the next task runs");
  assert.equal(server.reports()[0].id, "t2");
});

test("a refused progress costs no lease and no log of another task", async (t) => {
  let goOn;
  const gate = new Promise((done) => { goOn = done; });
  const hasProgress = (body) => body.tasks.some((x) => x.progress);
  const server = await run(t, [0, 1, 2, 3, 4].map(claimed), async (task) => {
    if (task.data === 2) task.progress("bad");
    else task.log("good");
    await gate;
  }, { slots: 5, lease: 3 }, (s) => {
    s.defaults["/workers/heartbeat"] = (body) => (hasProgress(body) ? [400, { detail: "too bad" }] : ok(body));
  });
  t.after(goOn);
  const beats = () => server.bodies("/workers/heartbeat");
  const accepted = () => beats().filter((b) => !hasProgress(b)).flatMap((b) => b.tasks);
  const refused = () => beats().filter(hasProgress).map((b) => b.tasks.length);
  await until(() => new Set(accepted().filter((x) => x.logs).map((x) => x.id)).size === 4, "the logs of the others arrive");
  await until(() => accepted().some((x) => x.id === "t2"), "its lease is renewed");
  await until(() => refused().includes(1), "it was sent alone");
  const before = refused();
  const count = accepted().length;
  await until(() => accepted().length > count + 5, "further heartbeats");
  assert.deepEqual(refused(), before, "it is not sent again");
  goOn();
});

/** Refuses entries one by one, and the request if none is left. */
function judge(isBad) {
  return ({ tasks }) => (tasks.every(isBad) ? [400, { detail: "too bad" }] : [200, {
    tasks: tasks.map((x) => ({ id: x.id, attempt: x.attempt, code: isBad(x) ? "invalid" : "ok", error: "too bad" })),
  }]);
}

test("what is refused alone is not sent again, and its lease is renewed", async (t) => {
  let goOn;
  const gate = new Promise((done) => { goOn = done; });
  const server = await run(t, [0, 1, 2].map(claimed), async (task) => {
    if (task.data === 1) task.progress("said");
    else task.log("said");
    await gate;
  }, { slots: 3, lease: 3 }, (s) => { s.defaults["/workers/heartbeat"] = judge((x) => x.progress !== undefined); });
  t.after(goOn);
  const beats = (what) => server.bodies("/workers/heartbeat").flatMap((b) => b.tasks).filter(what).map((x) => x.id);
  await until(() => beats((x) => x.progress).includes("t1"), "it is refused");
  await until(() => beats((x) => !x.progress).includes("t1"), "its lease is renewed");
  await until(() => beats(() => true).length > 12, "further heartbeats");
  assert.deepEqual(beats((x) => x.progress), ["t1"], "it is not sent again");
  assert.deepEqual(beats((x) => x.logs).sort(), ["t0", "t2"], "nor what was accepted");
});

/** A reporter that has three outcomes, of which the second has a log, and what it sends to a server of the test. */
async function report(answer) {
  const inFlight = new InFlight(3, 0, async () => {});
  for (const number of [1, 2, 3]) {
    const task = new TaskContext({ ...claimed(number) }, undefined, () => {});
    if (number === 2) task.log("bad");
    inFlight.held.set(task.id, task);
    inFlight.settle(task, { outcome: "completed" });
  }
  inFlight.isComplete = true;
  const sent = [];
  const server = {
    async report(texts) {
      sent.push(texts.map((text) => JSON.parse(text)));
      return answer(sent.at(-1), sent.length);
    },
    failed() {},
  };
  await new Reporter(inFlight, server, SILENT).run();
  assert.equal(inFlight.held.size, 0, "all are reported");
  return sent.map((entries) => entries.map((x) => (x.logs ? `${x.id} with its log` : x.id)));
}

test("only what is refused of a report is sent again", async () => {
  const sent = await report((entries, number) => {
    if (number === 2) throw new TaskQueueError("slower", { status: 429 });
    if (entries.every((x) => x.logs)) throw new TaskQueueError("too bad", { status: 400 });
    return entries.map((x) => (x.logs ? new TaskQueueError("too bad", { status: 400 }) : undefined));
  });
  assert.deepEqual(sent, [["t1", "t2 with its log", "t3"], ["t2"], ["t2 with its log"], ["t2"]]);
});

test("what has arrived of a report that is refused as a whole is not sent again", async () => {
  const sent = await report((entries, number) => {
    if (number === 3) throw new TaskQueueError("connection lost");
    if (entries.some((x) => x.logs)) throw new TaskQueueError("too bad", { status: 413 });
    return entries.map(() => undefined);
  });
  assert.deepEqual(sent, [["t1", "t2 with its log", "t3"], ["t1"], ["t2 with its log"],
    ["t2 with its log", "t3"], ["t2 with its log"], ["t2"], ["t3"]]);
});

test("the server's answer names what is refused of a report", async (t) => {
  const server = await run(t, [claimed(1), claimed(2)], (task) => {
    if (task.data === 1) task.log("bad");
    return task.data;
  }, {}, (s) => { s.defaults["/workers/report"] = judge((x) => x.logs !== undefined); });
  await until(() => new Set(server.reports().filter((r) => !r.logs).map((r) => r.id)).size === 2, "both are reported");
  assert.ok(server.reports().every((r) => r.outcome === "completed"));
  assert.equal(server.reports().filter((r) => r.id === "t2").length, 1, "what was accepted is not sent again");
});

test("a handler learns that its lease cannot be renewed, and its outcome is reported", async (t) => {
  const server = await run(t, [claimed(1)], async (task) => {
    await until(() => task.leaseLost, "the lease is not renewed");
    return task.signal.aborted;
  }, { lease: 1 }, (s) => { s.defaults["/workers/heartbeat"] = DROP; });
  await until(() => server.reports().length > 0, "the outcome");
  assert.deepEqual([server.reports()[0].outcome, server.reports()[0].result], ["completed", false]);
});

test("an outage longer than the lease aborts no handler", async (t) => {
  const end = Date.now() + 2000;
  const server = await run(t, [claimed(1)], async (task) => {
    await until(() => task.leaseLost, "the lease is not renewed");
    await until(() => !task.leaseLost, "the server knows the task as this worker's");
    return task.signal.aborted;
  }, { lease: 1 }, (s) => { s.defaults["/workers/heartbeat"] = (body) => (Date.now() > end ? ok(body) : [503, "no database"]); });
  await until(() => server.reports().length > 0, "the outcome");
  assert.deepEqual([server.reports()[0].outcome, server.reports()[0].result], ["completed", false]);
});

test("a task that another worker got in an outage is aborted after it", async (t) => {
  const stale = ({ tasks }) => [200, { tasks: tasks.map(({ id, attempt }) => ({ id, attempt, code: "stale_attempt" })) }];
  let seen;
  const server = await run(t, [claimed(1)], async (task) => {
    await new Promise((done) => task.signal.addEventListener("abort", done));
    seen = task.leaseLost;
  }, { lease: 1 }, (s) => {
    s.queued["/workers/heartbeat"] = Array(5).fill(DROP);
    s.defaults["/workers/heartbeat"] = stale;
  });
  await until(() => seen !== undefined, "it is aborted");
  assert.deepEqual([seen, server.reports()], [true, []]);
});

test("what is refused is looked for until leases must be renewed", async (t) => {
  let clock = 0; // seconds
  t.mock.method(performance, "now", () => clock * 1000);
  const renewals = [];
  const inFlight = new InFlight(16, 0, async () => {});
  inFlight.beats.wait = async (seconds) => { clock += seconds; };
  const server = {
    async heartbeat(entries) {
      clock++;
      if (entries.some((entry) => "progress" in JSON.parse(entry))) throw new TaskQueueError("too bad", { status: 400 });
      if (entries.length === 16) renewals.push(clock);
      if (renewals.length === 20) heartbeats.end();
      return entries.map(() => ({ code: "ok" }));
    },
    failed() {},
  };
  const heartbeats = new Heartbeats(inFlight, server, SILENT, undefined);
  const tasks = Array.from({ length: 16 }, (_, i) => new TaskContext({ ...claimed(i), lease_seconds: 30 }, undefined, () => {}));
  for (const task of tasks) {
    inFlight.held.set(task.id, task);
    task.progress("bad");
  }
  await heartbeats.run();
  const gaps = renewals.slice(1).map((at, i) => at - renewals[i]);
  assert.ok(Math.max(...gaps) <= 10 + 4, `seconds between renewals: ${gaps}`); // all sixteen at once take more than 60
  assert.ok(tasks.every((task) => task.heartbeat(true, undefined).progress === undefined), "what was refused is not sent again");
});

test("progress has bounds", () => {
  const task = new TaskContext({ ...claimed(1) }, undefined, () => {});
  const nested = (levels) => JSON.parse("[".repeat(levels) + "]".repeat(levels));
  for (const value of ["x".repeat(4095), undefined, 1n, nested(61)]) assert.throws(() => task.progress(value));
  task.progress(nested(60));
  assert.equal(depthOf(JSON.stringify({ a: ["[[[", "\"[[", "\\"], b: [[]] })), 3);
});

test("an outcome that is no JSON fails its task only", async (t) => {
  const server = await run(t, [claimed(1), claimed(2), claimed(3)], (task) => {
    if (task.data === 1) throw new Snooze(5n);
    if (task.data === 2) throw Object.assign(new Snooze(1), { seconds: 5n });
  }, { slots: 1 });
  await until(() => server.reports().length === 3, "all are reported");
  const [one, two, three] = server.reports().sort((a, b) => (a.id < b.id ? -1 : 1));
  assert.deepEqual([one.outcome, one.error_type, two.outcome, three.outcome], ["failed", "TypeError", "failed", "completed"]);
  assert.match(two.error, /cannot be sent/);
});

test("options are checked", () => {
  const client = new Client("http://localhost");
  const wrong = [[[], {}], ["q", {}], [["q"], { slots: 0 }], [["q"], { prefetch: 501 }], [["q"], { lease: 0.5 }],
    [["q"], { drainTimeout: -1 }], [["q"], { unknownNames: "echo" }], [["q"], { name: "n".repeat(201) }]];
  for (const [queues, options] of wrong) assert.throws(() => new Worker(client, queues, options), TypeError, JSON.stringify(options));
});
