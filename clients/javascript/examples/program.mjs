import { Client, Worker } from "taskqueue-client";

const client = new Client(process.env.TASKQUEUE_URL ?? "http://localhost:8080", { key: process.env.TASKQUEUE_KEY });
const worker = new Worker(client, ["greetings"], { slots: 4 });
worker.handle("greet", async (task) => ({ text: `Hello, ${task.data.name}` }));
const working = worker.run(); // a program that only works awaits this

const { id } = await client.enqueue("greetings", "greet", { name: "Ann" });
const task = await client.wait(id, { timeout: 30 });
console.log(task.status, task.result.text); // completed Hello, Ann

worker.stop();
await working;
