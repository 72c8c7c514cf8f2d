using System.Diagnostics.Metrics;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Statistics;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Engine.Tasks;

/// <summary>Metrics and statistics of what this process commits. Every commit is counted exactly once.</summary>
public sealed class TaskMetrics
{
    private static readonly string?[] Words = WordsOf(
        ("submitted", TaskEventType.Submitted), ("started", TaskEventType.Started), ("completed", TaskEventType.Completed),
        ("failed", TaskEventType.Failed),
        ("retried", TaskEventType.Retrying), ("cancelled", TaskEventType.Cancelled), ("expired", TaskEventType.Expired),
        ("snoozed", TaskEventType.Snoozed));

    /// <summary>Status names of dtq-and-wippy.md A4.</summary>
    private static readonly string?[] Statuses = WordsOf(
        ("pending", TaskEventType.Submitted), ("processing", TaskEventType.Started), ("completed", TaskEventType.Completed),
        ("failed", TaskEventType.Failed),
        ("pending", TaskEventType.Retrying), ("cancelled", TaskEventType.Cancelled), ("expired", TaskEventType.Expired),
        ("pending", TaskEventType.Snoozed));

    private static readonly InstrumentAdvice<double> Quick = new() { HistogramBucketBoundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
        0.1, 0.25, 0.5, 1, 2.5, 10] };

    private static readonly InstrumentAdvice<double> Work = new() { HistogramBucketBoundaries = [0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30,
        60, 300, 1800] };

    private static readonly InstrumentAdvice<int> Sizes = new() { HistogramBucketBoundaries = [1, 2, 4, 8, 16, 32, 64, 128, 256] };

    private readonly StatisticsCounter _statistics;
    private readonly BoundedLabels<string> _queues;
    private readonly BoundedLabels<string> _names;
    private readonly BoundedLabels<(string Queue, string Name)> _pairs;
    private readonly Counter<long> _tasks, _leaseExpiries, _errors, _callbacks, _statuses, _nameErrors, _setAside;
    private readonly Histogram<double> _waits, _attempts, _executions, _commits, _claims;
    private readonly Histogram<int> _groups;

    /// <summary>Creates the instruments.</summary>
    public TaskMetrics(IMeterFactory meters, IOptions<TelemetryOptions> options, StatisticsCounter statistics)
    {
        ArgumentNullException.ThrowIfNull(meters);
        ArgumentNullException.ThrowIfNull(options);
        _statistics = statistics;
        _queues = new(options.Value.MaxQueues);
        _names = new(options.Value.MaxNames);
        _pairs = new(options.Value.MaxQueues);
        var meter = meters.Create(TaskQueueMeter.Name);
        _tasks = meter.CreateCounter<long>("taskqueue.tasks", "{task}", "Task events committed by this process.");
        _leaseExpiries = meter.CreateCounter<long>("taskqueue.lease.expirations", "{lease}", "Leases that expired without a heartbeat.");
        _errors = meter.CreateCounter<long>("taskqueue.task.errors", "{attempt}", "Failed attempts by task name.");
        _callbacks = meter.CreateCounter<long>("taskqueue.callbacks", "{try}", "Callback attempts recorded by this process.");
        _setAside = meter.CreateCounter<long>("taskqueue.bus.set_aside", "{entry}",
            "Bus messages, and entries of messages, that were refused or could not be read.");
        _waits = meter.CreateHistogram("taskqueue.task.wait", "s", "Time from when a task was due to the start of its attempt.",
            advice: Work);
        _attempts = meter.CreateHistogram("taskqueue.attempt.duration", "s", "Time from the start of an attempt to its end.", advice: Work);
        _groups = meter.CreateHistogram("taskqueue.group.size", "{command}", "Commands committed in one group.", advice: Sizes);
        _commits = meter.CreateHistogram("taskqueue.commit.duration", "s", "Duration of the transaction of a group.", advice: Quick);
        _claims = meter.CreateHistogram("taskqueue.claim.duration", "s", "Duration of a claim at the database, without the wait for work.",
            advice: Quick);
        _statuses = meter.CreateCounter<long>("dtq_tasks", null, "Tasks that reached a status.");
        _executions = meter.CreateHistogram("dtq_task_execution", "s", "Time from the start of an attempt to its end.", advice: Work);
        _nameErrors = meter.CreateCounter<long>("dtq_task_errors", null, "Failed attempts by task name.");
    }

    /// <summary>Records a committed command group.</summary>
    internal void Committed(int commands, TimeSpan took, IReadOnlyList<TaskState> written)
    {
        _groups.Record(commands);
        _commits.Record(took.TotalSeconds);
        foreach (var task in written)
        {
            foreach (var e in task.Events)
                Happened(task, e.Kind, e.At, e.Ran);
        }

        TaskStatistics.Count(_statistics, written);
    }

    /// <summary>Records tasks inserted in bulk.</summary>
    internal void Inserted(IEnumerable<TaskState> tasks)
    {
        using var group = _statistics.Begin();
        foreach (var task in tasks)
        {
            Count(Queue(task.Queue), TaskEventType.Submitted, 1);
            group.Add(task.Queue, task.Owner, StatisticsCounts.Submitted, task.CreatedAt);
        }
    }

    /// <summary>Records a claim.</summary>
    internal void Claimed(IReadOnlyList<TaskState> tasks, TimeSpan took)
    {
        _claims.Record(took.TotalSeconds);
        foreach (var task in tasks)
            Started(task, Queue(task.Queue), task.StartedAt);
        using var group = _statistics.Begin();
        foreach (var task in tasks)
            group.Add(task.Queue, task.Owner, StatisticsCounts.Started, task.StartedAt ?? task.DueAt);
    }

    /// <summary>Records a lease expiry.</summary>
    internal void LeaseExpired(string queue) => _leaseExpiries.Add(1, Queue(queue));

    /// <summary>Records an attempt of a callback.</summary>
    public void Called(CallbackState state) =>
        _callbacks.Add(1, new KeyValuePair<string, object?>("outcome", state switch
        {
            CallbackState.Delivered => "delivered",
            CallbackState.Failed => "failed",
            _ => "retried",
        }));

    /// <summary>Records rejected bus messages, or entries of one.</summary>
    /// <param name="message">Type of the message, or the broker queue that it came from.</param>
    /// <param name="what">The invalid part: its <c>sender</c>, the <c>message</c>, or an <c>entry</c>.</param>
    /// <param name="count">Number of messages or entries.</param>
    internal void SetAside(string message, string what, int count = 1) =>
        _setAside.Add(count, new KeyValuePair<string, object?>("message", message), new("what", what));

    /// <summary>Records tasks of a queue that were cancelled by a purge.</summary>
    internal void Purged(string queue, int count, DateTime at)
    {
        if (count == 0)
            return;
        Count(Queue(queue), TaskEventType.Cancelled, count);
        using var group = _statistics.Begin();
        group.Add(queue, owner: null, StatisticsCounts.Cancelled, at, count); // a purge does not say whose tasks it deleted
    }

    private void Happened(TaskState task, TaskEventType type, DateTime at, TimeSpan? ran)
    {
        if (Words[(int)type] is not { } word)
            return; // not a step of the task itself, such as a dispatch
        var queue = Queue(task.Queue);
        if (type == TaskEventType.Started)
        {
            Started(task, queue, at);
            return;
        }

        Count(queue, type, 1);
        if (ran is { } time)
        {
            _attempts.Record(time.TotalSeconds, queue, new("outcome", word));
            _executions.Record(time.TotalSeconds);
        }

        if (type is TaskEventType.Failed or TaskEventType.Retrying)
            Erred(queue, task.Name ?? "");
    }

    private void Started(TaskState task, KeyValuePair<string, object?> queue, DateTime? at)
    {
        Count(queue, TaskEventType.Started, 1);
        if (at - task.DueAt is { } wait && wait >= TimeSpan.Zero) // negative if a retry in the same group has moved the due time
            _waits.Record(wait.TotalSeconds, queue);
    }

    private void Count(KeyValuePair<string, object?> queue, TaskEventType type, int count)
    {
        _tasks.Add(count, queue, new("event", Words[(int)type]));
        _statuses.Add(count, new KeyValuePair<string, object?>("status", Statuses[(int)type]));
    }

    private void Erred(KeyValuePair<string, object?> queue, string name)
    {
        var known = _names.Admits(name) ? name : Labels.Other;
        _nameErrors.Add(1, new KeyValuePair<string, object?>("name", known));
        _errors.Add(1, queue, new("name", _pairs.Admits(((string)queue.Value!, known)) ? known : Labels.Other));
    }

    private KeyValuePair<string, object?> Queue(string name) => new("queue", _queues.Admits(name) ? name : Labels.Other);

    private static string?[] WordsOf(params ReadOnlySpan<(string Word, TaskEventType Type)> words)
    {
        var all = new string?[(int)Enum.GetValues<TaskEventType>().Max() + 1];
        foreach (var (word, type) in words)
            all[(int)type] = word;
        return all;
    }
}
