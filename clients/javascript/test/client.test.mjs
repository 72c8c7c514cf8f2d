import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { Client, Snooze, TaskQueueError, Worker } from "taskqueue-client";
import { newId } from "../src/client.js";
import { PendingLog, cutBytes } from "../src/task.js";
import { Backoff } from "../src/time.js";
import { DROP, fakeServer } from "./fake.mjs";

async function caught(promise) {
  const fault = await promise.then(() => undefined, (f) => f);
  assert.ok(fault instanceof TaskQueueError, String(fault));
  return fault;
}

test("a task whose answer was lost is sent again with its id and is no duplicate", async (t) => {
  const server = await fakeServer(t);
  server.queued["/tasks"] = [DROP, [503, "<html>busy</html>"], (body) => [202, { id: body.id, status: "duplicate" }]];
  const options = { tags: ["eu"], scheduled_at: new Date("2030-01-01T00:00:00Z") };
  const enqueued = await new Client(server.url).enqueue("mail", "send", { to: "ann" }, options);
  const bodies = server.bodies("/tasks");
  assert.deepEqual(enqueued, { id: bodies[0].id, status: "queued" });
  assert.deepEqual(bodies, [bodies[0], bodies[0], bodies[0]]);
  const { id, ...rest } = bodies[0];
  assert.deepEqual(rest, { queue: "mail", action: "send", data: { to: "ann" }, tags: ["eu"], scheduled_at: "2030-01-01T00:00:00.000Z" });
});

test("a duplicate of another task or of the first try stays one", async (t) => {
  const server = await fakeServer(t);
  const client = new Client(server.url);
  server.queued["/tasks"] = [DROP, [202, { id: "other", status: "duplicate" }], [202, { id: "mine", status: "duplicate" }]];
  assert.deepEqual(await client.enqueue("mail", "send"), { id: "other", status: "duplicate" });
  assert.deepEqual(await client.enqueue("mail", "send", 1, { id: "mine" }), { id: "mine", status: "duplicate" });
});

test("a refusal is not repeated and has status, code and message", async (t) => {
  const server = await fakeServer(t);
  const client = new Client(server.url);
  server.queued["/tasks"] = [[409, { title: "Conflict", detail: "no room", code: "quota_exceeded" }], [400, { error: "no action" }]];
  const fault = await caught(client.enqueue("mail", "send"));
  assert.deepEqual([fault.status, fault.code, fault.message, fault.retryAfter, fault.isTransient],
    [409, "quota_exceeded", "no room", null, false]);
  assert.equal((await caught(client.enqueue("mail", "send"))).message, "no action");
  assert.equal(server.requests.length, 2);
});

test("a retry waits as long as the server asks, and gives up after five tries", async (t) => {
  const server = await fakeServer(t);
  const client = new Client(server.url);
  server.queued["/tasks"] = [[429, { error: "slower" }, { "Retry-After": "1" }], [202, { id: "a", status: "queued" }]];
  const start = performance.now();
  await client.enqueue("mail", "send");
  assert.ok(performance.now() - start >= 990);
  server.defaults["/tasks"] = DROP;
  const fault = await caught(client.enqueue("mail", "send"));
  assert.deepEqual([fault.status, fault.isTransient, server.requests.length], [0, true, 7]);
});

test("connections are kept", async (t) => {
  const server = await fakeServer(t);
  const client = new Client(server.url);
  server.defaults["/tasks/1"] = [200, { id: "1", status: "pending" }];
  for (let i = 0; i < 10; i++) await client.get("1");
  assert.ok(server.connections <= 2, `${server.connections} connections for 10 requests`);
});

test("the path base and the key are sent", async (t) => {
  const server = await fakeServer(t);
  server.defaults["/base/tasks/a%2Fb"] = [200, { id: "a/b", status: "failed" }];
  const client = new Client(`${server.url}/base/`, { key: "secret" });
  assert.equal((await client.wait("a/b")).status, "failed");
  assert.match(server.requests[0].url, /^\/base\/tasks\/a%2Fb\?wait_seconds=\d/);
  assert.equal(server.requests[0].headers.authorization, "Bearer secret");
});

test("a wait that takes too long says so, and one that is aborted ends", async (t) => {
  const server = await fakeServer(t);
  const client = new Client(server.url);
  server.defaults["/tasks/1"] = [200, { id: "1", status: "running" }];
  assert.equal((await caught(client.wait("1", { timeout: 0.3 }))).code, "timeout");
  await assert.rejects(client.wait("1", { signal: AbortSignal.timeout(100) }), { name: "TimeoutError" });
});

test("a wait ends in time though the server is away or asks for patience", async (t) => {
  const server = await fakeServer(t);
  const client = new Client(server.url);
  for (const answer of [[503, { error: "later" }, { "Retry-After": "20" }], DROP]) {
    server.defaults["/tasks/1"] = answer;
    const start = performance.now();
    const fault = await caught(client.wait("1", { timeout: 0.1 }));
    assert.ok(performance.now() - start < 10_000);
    assert.deepEqual([fault.status, fault.code], [0, "timeout"]);
  }
});

test("a pause is never longer than 30 s", () => {
  assert.equal(new Backoff().pause(99_999), 30);
});

test("many tasks are sent a thousand at a time", async (t) => {
  const server = await fakeServer(t);
  server.defaults["/tasks/bulk"] = ({ tasks }) => [202, { ids: tasks.map((x) => x.id), results: tasks.map(() => "queued") }];
  const tasks = Array.from({ length: 2001 }, (_, i) => ({ queue: "mail", name: "send", data: i, id: `${i}` }));
  const answers = await new Client(server.url).enqueueMany(tasks.values());
  assert.deepEqual(answers.map((a) => a.id), tasks.map((x) => x.id));
  assert.deepEqual(server.bodies("/tasks/bulk").map((b) => b.tasks.length), [1000, 1000, 1]);
});

test("what cannot be right is refused here", () => {
  for (const url of ["localhost:8080", "ftp://host", "http://", "http://host?x=1", "http://user@host"])
    assert.throws(() => new Client(url), TypeError, url);
  const telling = ["http://ann:secret@host", "http://host?key=secret", "http://host#secret", "ann:secret@host", "http://ann:secret@[host"];
  for (const url of telling)
    assert.throws(() => new Client(url), (fault) => !/ann|secret/.test(fault.message) && fault.cause === undefined, url);
  for (const key of ["", "a b", "é"]) assert.throws(() => new Client("http://host", { key }), TypeError, key);
  assert.throws(() => new Snooze(-1), RangeError);
});

test("ids are of version 7 and in order of time", async () => {
  const first = newId();
  await new Promise((done) => setTimeout(done, 3));
  assert.match(first, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.ok(first < newId());
});

test("a log keeps the newest lines within its bounds", () => {
  const log = new PendingLog();
  const line = (message) => ({ at: "", level: "info", message });
  for (let i = 0; i < 250; i++) log.add(line(`${i}`));
  const lines = log.take();
  assert.deepEqual([lines.length, lines.at(-1).message], [100, "249"]);
  for (let i = 0; i < 20; i++) log.add(line("x".repeat(8000)));
  assert.ok(log.take().length * 8000 <= 64 * 1024);
  log.add(line("newer"));
  log.putBack([line("older")]);
  assert.deepEqual(log.take().map((l) => l.message), ["older", "newer"]);
  assert.equal(cutBytes("äää", 5), "ää");
});

test("a real server", { skip: process.env.TASKQUEUE_URL ? false : "TASKQUEUE_URL names no server" }, async () => {
  const client = new Client(process.env.TASKQUEUE_URL, { key: process.env.TASKQUEUE_KEY });
  const queue = `p${randomUUID().replaceAll("-", "")}`;
  const options = { priority: "high", max_attempts: 2, tags: ["eu"], retry: { intervals: [1, 2] }, scheduled_at: new Date("2030-01-01") };
  const one = await client.enqueue(queue, "send", { to: "änn" }, options);
  assert.equal(one.status, "queued");
  const task = await client.get(one.id);
  assert.deepEqual([task.status, task.priority, task.max_attempts, task.tags, task.payload.data],
    ["pending", "high", 2, ["eu"], { to: "änn" }]);
  assert.equal((await caught(client.wait(one.id, { timeout: 0.2 }))).code, "timeout");
  await client.cancel(one.id);
  assert.equal((await client.wait(one.id)).status, "cancelled");
  await client.cancel(one.id); // changes nothing

  const other = await client.enqueue(queue, "send");
  const worker = new Worker(client, [queue]).handle("send", () => "sent");
  const working = worker.run({ signals: false });
  assert.equal((await client.wait(other.id)).result, "sent");
  worker.stop();
  await working;
  assert.equal((await caught(client.cancel(other.id))).status, 409);

  const first = await client.enqueue(queue, "send", undefined, { dedupe_key: "k" });
  assert.deepEqual(await client.enqueue(queue, "send", undefined, { dedupe_key: "k" }), { id: first.id, status: "duplicate" });
  const many = await client.enqueueMany([0, 1, 2].map((data) => ({ queue, name: "send", data })));
  assert.deepEqual(many.map((m) => m.status), ["queued", "queued", "queued"]);
  assert.equal((await client.get(many[2].id)).payload.data, 2);

  const nobody = randomUUID();
  assert.equal(await client.get(nobody), null);
  assert.equal((await caught(client.wait(nobody))).status, 404);
  assert.equal((await caught(client.cancel(nobody))).status, 404);
  const wrong = await caught(client.enqueue(queue, "send", 1, { max_attempts: 0 }));
  assert.equal(wrong.status, 400);
  assert.match(wrong.message, /max_attempts/);
});
