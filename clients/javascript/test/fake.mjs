// A server for what a real one cannot be made to do.
import { createServer } from "node:http";
import { setTimeout as pause } from "node:timers/promises";

export const DROP = Symbol("the connection, without an answer");

/**
 * Answers each path with what is queued for it, then with its default: [status, body, headers], a function of the body, or DROP.
 * `before` runs when the test has ended, while the server still answers.
 */
export async function fakeServer(t, before = () => {}) {
  const fake = { queued: {}, defaults: {}, requests: [], connections: 0, url: "" };
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    const body = text === "" ? undefined : JSON.parse(text);
    const path = request.url.split("?")[0];
    fake.requests.push({ url: request.url, path, body, headers: request.headers });
    let answer = fake.queued[path]?.shift() ?? fake.defaults[path] ?? [404, { detail: "nothing here", code: "not_found" }];
    if (typeof answer === "function") answer = await answer(body);
    if (answer === DROP) return request.socket.destroy();
    const [status, content, headers = {}] = answer;
    response.writeHead(status, headers).end(typeof content === "string" ? content : JSON.stringify(content));
  });
  server.on("connection", () => fake.connections++);
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  fake.url = `http://127.0.0.1:${server.address().port}`;
  fake.bodies = (path) => fake.requests.filter((r) => r.path === path).map((r) => r.body);
  t.after(async () => {
    await before();
    server.closeAllConnections();
    server.close();
  });
  return fake;
}

export async function until(condition, what, seconds = 20) {
  for (const end = Date.now() + seconds * 1000; !condition(); await pause(10))
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${what}`);
}
