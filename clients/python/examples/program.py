import os
import threading

from taskqueue_client import Client, Worker

with Client(os.environ.get("TASKQUEUE_URL", "http://localhost:8080"), key=os.environ.get("TASKQUEUE_KEY")) as client:
    worker = Worker(client, ["greetings"], slots=4)

    @worker.handler("greet")
    def greet(task):
        return {"text": f"Hello, {task.data['name']}"}

    working = threading.Thread(target=worker.run)  # a program that only works calls worker.run()
    working.start()

    enqueued = client.enqueue("greetings", "greet", {"name": "Ann"})
    task = client.wait(enqueued.id, timeout=30)
    print(task["status"], task["result"]["text"])  # completed Hello, Ann

    worker.stop()
    working.join()
