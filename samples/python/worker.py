"""A worker that needs nothing but Python: python3 worker.py http://localhost:8080 QUEUE"""
import json
import os
import signal
import sys
import threading
import time
import urllib.error
import urllib.request

if len(sys.argv) != 3:
    print("usage: python3 worker.py http://localhost:8080 QUEUE", file=sys.stderr)
    sys.exit(2)
SERVER, QUEUE = sys.argv[1].rstrip("/"), sys.argv[2]
NAME = f"python:{os.getpid()}"
KEY = os.environ.get("TASKQUEUE_KEY")
LEASE = 15
held = {}  # id -> attempt: claimed and not reported
stopping = threading.Event()


def post(path, body):
    headers = {"Content-Type": "application/json"}
    if KEY:
        headers["Authorization"] = f"Bearer {KEY}"
    request = urllib.request.Request(SERVER + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=40) as answer:
        return json.load(answer)["tasks"]


def report(task, **outcome):
    """Tries until the server has it; a second report changes nothing."""
    while True:
        try:
            post("/workers/report", {"tasks": [{"id": task["id"], "attempt": task["attempt"], **outcome}]})
            held.pop(task["id"], None)
            return
        except (OSError, ValueError) as fault:
            if isinstance(fault, urllib.error.HTTPError) and fault.code in (400, 413):
                outcome = {"outcome": "failed", "error": f"the outcome was refused: {fault.code}", "retryable": False}
            time.sleep(1)


def beat():
    """Keeps the leases of everything that is held; forgets what the server says is gone."""
    while True:
        time.sleep(LEASE / 3)
        entries = [{"id": i, "attempt": a} for i, a in list(held.items())]
        if entries:
            try:
                for answer in post("/workers/heartbeat", {"tasks": entries}):
                    if answer["code"] in ("finished", "stale_attempt", "not_found"):
                        held.pop(answer["id"], None)
            except (OSError, ValueError) as fault:
                print("heartbeat:", fault, file=sys.stderr)


def process(name, data):
    if name == "upper":
        return {"output": data["text"].upper()}
    raise ValueError(f"no processor for {name}")


def run(task):
    payload = task["payload"]
    data = payload.get("data") if isinstance(payload, dict) else payload
    try:
        result = process(task["name"], data)
    except Exception as fault:  # tried again while attempts are left
        report(task, outcome="failed", error=str(fault) or type(fault).__name__)
        return
    report(task, outcome="completed", result=result)


def main():
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    threading.Thread(target=beat, daemon=True).start()
    print("ready", flush=True)
    while not stopping.is_set():
        try:
            tasks = post("/workers/claim", {"queues": [QUEUE], "worker": NAME, "max": 5, "lease_seconds": LEASE, "wait_seconds": 1})
        except (OSError, ValueError) as fault:
            print("claim:", fault, file=sys.stderr)
            stopping.wait(2)
            continue
        held.update((task["id"], task["attempt"]) for task in tasks)
        for task in tasks:
            if stopping.is_set():
                report(task, outcome="snoozed", delay_seconds=0)  # another worker takes it; no attempt is counted
            elif task["id"] in held:
                run(task)


main()
