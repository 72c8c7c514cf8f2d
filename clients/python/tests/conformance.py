"""The worker that the conformance tests of the server run: python3 tests/conformance.py SERVER OPTIONS, both as its tests give them."""
import json
import os
import sys
import threading
from collections import Counter

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from taskqueue_client import Client, PermanentFailure, Snooze, Worker  # noqa: E402

options = json.loads(sys.argv[2])
worker = Worker(
    Client(sys.argv[1], key=os.environ.get("TASKQUEUE_KEY")),
    [options["queue"]],
    name=options.get("name"),
    slots=options.get("slots", 2),
    prefetch=options.get("prefetch", 5),
    lease=options.get("lease"),
    drain_timeout=options.get("drain_timeout", 25),
    unknown_names=options.get("unknown_names", "fail"),
)
snoozes = Counter()
saying = threading.Lock()


def say(*words):
    with saying:  # handlers are threads
        print(*words, flush=True)


@worker.handler("echo")
def first(task):
    raise ValueError("the last handler of a name wins")


@worker.handler("echo")
def echo(task):
    return task.data


@worker.handler("none")
def none(task):
    return None


@worker.handler("fail")
def fail(task):
    raise PermanentFailure(task.data["message"])


@worker.handler("throw")
def throw(task):
    if task.attempt <= task.data["times"]:
        raise ValueError(f"row {task.attempt} of '{task.id}' is broken")
    return task.attempt


@worker.handler("snooze")
def snooze(task):
    snoozes[task.id] += 1
    if snoozes[task.id] <= 3:
        raise Snooze(0.05)
    return snoozes[task.id]


@worker.handler("log")
def log(task):
    task.log(f"attempt {task.attempt} begins")
    task.log("careful", "warning")
    if task.attempt == 1:
        raise RuntimeError("boom")
    wait_for(task)
    task.log("x" * 20_000, "error")
    return 1


@worker.handler("wait")
def wait(task):
    say("started", task.id)
    if "progress" in task.data:
        task.progress(task.data["progress"])
    if not wait_for(task):
        say("cancelled", task.id, "lost" if task.lease_lost else "released")
        return "too late"
    return task.data.get("result")


@worker.handler("large")
def large(task):
    return "x" * task.data["characters"]


def wait_for(task):
    """Until the file exists that opens the gate; False if the task is cancelled before."""
    while not os.path.exists(task.data["gate"]):
        if task.cancelled.wait(0.02):
            return False
    return True


worker.run()
say("ended")
