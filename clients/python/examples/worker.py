"""A worker: python3 -m examples.worker http://localhost:8080 QUEUE"""
import logging
import os
import sys

from taskqueue_client import Client, PermanentFailure, Snooze, Worker

if len(sys.argv) != 3:
    print("usage: python3 -m examples.worker http://localhost:8080 QUEUE", file=sys.stderr)
    sys.exit(2)
logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
client = Client(sys.argv[1], key=os.environ.get("TASKQUEUE_KEY"))
worker = Worker(client, [sys.argv[2]], slots=4)


@worker.handler("upper")
def upper(task):
    text = task.data["text"]  # an exception: the attempt failed, and is retried while attempts are left
    if not text:
        raise PermanentFailure("there is no text")
    task.log(f"{len(text)} characters")
    return {"output": text.upper()}


@worker.handler("count")
def count(task):
    until = task.data["until"]
    for number in range(until):
        task.progress({"done": number / until})
        if task.cancelled.wait(0.1):  # cancelled, or another attempt's, or the worker stops
            raise Snooze(0)
    return until


worker.run()
