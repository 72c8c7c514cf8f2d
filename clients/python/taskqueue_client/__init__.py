"""Client and worker of TaskQueue, a durable task queue, over HTTP. Standard library only."""
from ._client import Client, Enqueued, NewTask, RetryPolicy, Task
from ._errors import PermanentFailure, Snooze, TaskQueueError
from ._task import TaskContext
from ._worker import Worker

__version__ = "0.1.0"

__all__ = [
    "Client",
    "Enqueued",
    "NewTask",
    "PermanentFailure",
    "RetryPolicy",
    "Snooze",
    "Task",
    "TaskContext",
    "TaskQueueError",
    "Worker",
]

for _public in __all__:
    globals()[_public].__module__ = __name__  # as stacks and error types name them
del _public
