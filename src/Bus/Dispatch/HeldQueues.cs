using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Bus.Dispatch;

/// <summary>
/// Push queues whose queue at the broker takes nothing: full, without leader, or forbidden. Their dispatches are retried here, with
/// increasing pauses, and hold up no one else. Only ids are kept, and only <see cref="MaxTasks"/>; when the process stops they become due
/// for the scheduler. Whatever is forgotten is still dispatched again by the scheduler, like every dispatch that was lost.
/// </summary>
internal sealed partial class HeldQueues : IAsyncDisposable
{
    /// <summary>Maximum ids of this process, 60 bytes each.</summary>
    private const int MaxTasks = 100_000;

    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(500), Longest = TimeSpan.FromSeconds(15);

    /// <summary>Time to hand over the tasks when the process stops, and their number in one statement.</summary>
    private static readonly TimeSpan LastWords = TimeSpan.FromSeconds(2);

    private const int MaxHandedOver = 1000;

    /// <summary>Queues that are tried at a time: each reads payloads, and may wait for the broker.</summary>
    private const int MaxTried = 8;

    private readonly TaskSender _sender;
    private readonly IParkingStore _store;
    private readonly QueueCatalog _queues;
    private readonly TimeProvider _time;
    private readonly ILogger<HeldQueues> _logger;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, (HeldQueue Queue, Task Retrying)> _held = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _tried = new(MaxTried);
    private readonly CancellationTokenSource _stop = new();
    private int _tasks;

    public HeldQueues(TaskSender sender, IParkingStore store, QueueCatalog queues, IMeterFactory meters, TimeProvider time,
        ILogger<HeldQueues> logger)
    {
        (_sender, _store, _queues, _time, _logger) = (sender, store, queues, time, logger);
        meters.Create(TaskQueueMeter.Name).CreateObservableGauge(
            "taskqueue.push.held", Ages, "s",
            "How long the broker has accepted no dispatches of a push queue from this process.");
    }

    /// <summary>Adds a task to those of a held queue.</summary>
    /// <returns>False if the queue is not held.</returns>
    public bool TryAdd(string queue, Guid task)
    {
        lock (_lock)
        {
            if (!_held.TryGetValue(queue, out var held))
                return false;
            Add(held.Queue, task);
            return true;
        }
    }

    /// <summary>Holds a queue, and retries its tasks until it takes them.</summary>
    public void Hold(string queue, string reason, IEnumerable<Guid> tasks)
    {
        reason = reason.ReplaceLineEndings(" ");
        lock (_lock)
        {
            var isNew = !_held.TryGetValue(queue, out var held);
            held = isNew ? (new HeldQueue(queue, _time.GetTimestamp()) { Reason = reason }, Task.CompletedTask) : held;
            foreach (var task in tasks)
                Add(held.Queue, task);
            if (!isNew)
                return;
            _held[queue] = (held.Queue, Task.Run(() => RetryAsync(held.Queue, _stop.Token)));
        }

        LogHeld(queue, reason);
    }

    /// <summary>Since when a queue is held, and why; null if it is not.</summary>
    public (DateTime Since, string Reason)? Find(string queue)
    {
        lock (_lock)
        {
            return _held.TryGetValue(queue, out var held)
                ? (Micros.Now(_time) - _time.GetElapsedTime(held.Queue.Since), held.Queue.Reason) : null;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        (HeldQueue Queue, Task Retrying)[] held;
        lock (_lock)
            held = [.. _held.Values];
        using var end = new CancellationTokenSource(LastWords, _time);
        await Task.WhenAll(held.Select(h => h.Retrying)).WaitAsync(end.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Guid[] tasks;
        lock (_lock)
            tasks = [.. held.SelectMany(h => h.Queue.Tasks)];
        using var handedOver = new CancellationTokenSource(LastWords, _time);
        await HandOverAsync(tasks, handedOver.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
        _tried.Dispose();
    }

    private async Task HandOverAsync(Guid[] tasks, CancellationToken cancellationToken)
    {
        foreach (var some in tasks.Chunk(MaxHandedOver))
            await _store.RedispatchAsync(some, Micros.Now(_time), cancellationToken);
    }

    private void Add(HeldQueue queue, Guid task)
    {
        if (_tasks < MaxTasks && queue.Add(task))
            _tasks++;
    }

    private async Task RetryAsync(HeldQueue queue, CancellationToken cancellationToken)
    {
        var wait = First;
        while (true)
        {
            await Task.Delay(wait, _time, cancellationToken);
            var (isDone, sent) = await TryAsync(queue, cancellationToken);
            if (isDone)
                return;
            wait = sent > 0 ? First : wait * 2 < Longest ? wait * 2 : Longest;
        }
    }

    /// <summary>Sends until the queue refuses, or nothing is left and the queue is released.</summary>
    /// <returns>Whether it was released, and the number of tasks that were sent.</returns>
    private async Task<(bool IsDone, int Sent)> TryAsync(HeldQueue queue, CancellationToken cancellationToken)
    {
        var total = 0;
        try
        {
            if (await _queues.FindAsync(queue.Name) is { Settings.Paused: true })
                return (false, 0);
            while (!cancellationToken.IsCancellationRequested)
            {
                IReadOnlyList<Guid> tasks;
                lock (_lock)
                {
                    tasks = queue.Next();
                    if (tasks.Count == 0)
                        _held.Remove(queue.Name);
                }

                if (tasks.Count == 0)
                {
                    LogReleased(queue.Name, _time.GetElapsedTime(queue.Since).TotalSeconds);
                    return (true, total);
                }

                var sent = await SendAsync(tasks, cancellationToken);
                total += sent.Tasks.Count;
                var isRefused = sent.Refusals.ContainsKey(queue.Name);
                lock (_lock)
                    _tasks -= queue.Remove(t => !isRefused || sent.Tasks.ContainsKey(t)); // the others have started or ended
                if (isRefused)
                    break;
            }
        }
#pragma warning disable CA1031 // retried later
        catch (Exception fault)
#pragma warning restore CA1031
        {
            if (!StorageFaults.IsTransient(fault) && fault is not BrokerSilentException)
                LogFailed(fault, queue.Name);
        }

        return (false, total);
    }

    private async Task<SentTasks> SendAsync(IReadOnlyList<Guid> tasks, CancellationToken cancellationToken)
    {
        await _tried.WaitAsync(cancellationToken);
        try
        {
            return await _sender.SendAsync(tasks);
        }
        finally
        {
            _tried.Release();
        }
    }

    private List<Measurement<double>> Ages()
    {
        lock (_lock)
            return [.. _held.Values.Select(h => new Measurement<double>(
                _time.GetElapsedTime(h.Queue.Since).TotalSeconds, new KeyValuePair<string, object?>("queue", h.Queue.Name)))];
    }

    [LoggerMessage(LogLevel.Warning, "The broker takes no dispatches of push queue {Queue} ({Reason}): its tasks wait, and are retried")]
    private partial void LogHeld(string queue, string reason);

    [LoggerMessage(LogLevel.Information, "The broker takes dispatches of push queue {Queue} again, after {Seconds:0} s")]
    private partial void LogReleased(string queue, double seconds);

    [LoggerMessage(LogLevel.Warning, "Dispatching the waiting tasks of push queue {Queue} failed; retrying")]
    private partial void LogFailed(Exception fault, string queue);
}
