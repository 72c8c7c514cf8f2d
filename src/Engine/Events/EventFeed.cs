using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Notifications;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Engine.Events;

/// <summary>
/// What happens to tasks, as it happens: read from the table of events while anybody in this process listens, by one reader for
/// all. Events of one task come in order, and none is left out between the place where a listener begins and where it ends.
/// </summary>
public sealed partial class EventFeed(ITaskStore store, ITaskQueries queries, PostCommitNotifier postCommit, LoopHeartbeats heartbeats,
    DependencyHealth dependencies, TimeProvider time, ILogger<EventFeed> logger) : BackgroundService
{
    private const int MaxRead = 250; // of each of the table's streams
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(250);

    /// <summary>Between two reads, so that under load one carries the commits of more than one group.</summary>
    private static readonly TimeSpan Breath = TimeSpan.FromMilliseconds(10);

    private static readonly IReadOnlyDictionary<Guid, TaskState> NoOwners = new Dictionary<Guid, TaskState>();

    private readonly ConcurrentDictionary<EventListener, byte> _listeners = new();
    private readonly SemaphoreSlim _mutex = new(1);
    private readonly Signal _joined = new();
    private long[]? _read; // where the reader stands; null while nobody listens

    /// <inheritdoc />
    public override void Dispose()
    {
        _mutex.Dispose();
        _joined.Dispose();
        base.Dispose();
    }

    /// <summary>Listens until it is stopped. The first batch comes at once: all that happens from then on is heard.</summary>
    /// <param name="filter">What of.</param>
    /// <param name="after">Where to begin, as <see cref="EventCursor"/> reads it; null is now. What is not kept any more is passed
    /// over.</param>
    /// <param name="idle">An empty batch comes when nothing happened for so long.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="TimeoutException">The listener takes its batches too slowly; it may begin again where it was.</exception>
    public async IAsyncEnumerable<EventBatch> ListenAsync(EventFilter filter, long[]? after, TimeSpan idle,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var listener = new EventListener(filter);
        try
        {
            if (after is null)
                await JoinAsync(listener, cancellationToken);
            var at = await store.EndOfEventsAsync();
            if (after is not null)
            {
                at = [.. after.Zip(at, Math.Min)]; // a place that never was would hide what comes before it
                await foreach (var batch in CatchUpAsync(listener, at, cancellationToken))
                    yield return batch;
            }

            yield return new EventBatch([], EventCursor.ToText(at));
            while (true)
            {
                if (await NextAsync(listener, at, idle, cancellationToken) is { } batch)
                    yield return batch;
            }
        }
        finally
        {
            _listeners.TryRemove(listener, out _);
        }
    }

    /// <inheritdoc />
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var heartbeat = heartbeats.Of(GetType());
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                if (_listeners.IsEmpty)
                    await IdleAsync(heartbeat, stoppingToken);
                var read = await ReadAsync(stoppingToken);
                heartbeat.Succeeded();
                if (read >= MaxRead)
                    continue;
                await postCommit.Stream.WaitAsync(LookAgain, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
#pragma warning disable CA1031 // nothing is lost: the next read begins where the last one ended
            catch (Exception fault)
#pragma warning restore CA1031
            {
                if (!dependencies.TryHandle(fault))
                {
                    heartbeat.Failed(fault);
                    LogFailed(fault);
                }

                await Task.Delay(LookAgain, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }

            await Task.Delay(Breath, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task IdleAsync(LoopHeartbeat heartbeat, CancellationToken cancellationToken)
    {
        heartbeat.Rest();
        await _joined.WaitAsync(Timeout.InfiniteTimeSpan, cancellationToken);
        heartbeat.Beat();
    }

    private async Task JoinAsync(EventListener listener, CancellationToken cancellationToken)
    {
        await _mutex.WaitAsync(cancellationToken);
        try
        {
            _read ??= await store.EndOfEventsAsync();
            _listeners[listener] = 0;
        }
        finally
        {
            _mutex.Release();
        }

        _joined.Set();
    }

    /// <summary>One read for all listeners.</summary>
    /// <returns>How many events there were.</returns>
    private async Task<int> ReadAsync(CancellationToken cancellationToken)
    {
        await _mutex.WaitAsync(cancellationToken);
        try
        {
            if (_listeners.IsEmpty)
                _read = null;
            if (_read is null)
                return 0;
            var page = await store.ReadEventsAsync(_read, MaxRead);
            if (page.Count == 0)
                return 0;
            var owners = _listeners.Keys.Any(l => l.Filter.NeedsOwners) ? await OwnersAsync(page, cancellationToken) : NoOwners;
            _read = [.. _read];
            Array.ForEach([.. page], e => _read[e.Stream] = e.Id);
            foreach (var listener in _listeners.Keys)
                listener.Hear(page, owners, _read);
            return page.Count;
        }
        finally
        {
            _mutex.Release();
        }
    }

    /// <summary>
    /// Reads up to the present; then the listener joins, and what came meanwhile is read too. Where both tell of an event, the second is
    /// passed over.
    /// </summary>
    private async IAsyncEnumerable<EventBatch> CatchUpAsync(EventListener listener, long[] at,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var joined = false;
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var page = await store.ReadEventsAsync(at, MaxRead);
            var owners = listener.Filter.NeedsOwners ? await OwnersAsync(page, cancellationToken) : NoOwners;
            var events = Number(page, at, e => listener.Filter.Passes(e, owners));
            if (page.Count > 0)
                yield return new EventBatch(events, EventCursor.ToText(at));
            if (page.Count >= MaxRead)
                continue;
            if (joined)
                yield break;
            await JoinAsync(listener, cancellationToken);
            joined = true;
        }
    }

    /// <summary>What the listener hears next; null where there was nothing new in it.</summary>
    private async Task<EventBatch?> NextAsync(EventListener listener, long[] at, TimeSpan idle, CancellationToken cancellationToken)
    {
        var read = listener.Read;
        if (listener.Take() is { } page)
        {
            var events = Number(page, at, _ => true);
            return events.Count > 0 ? new EventBatch(events, EventCursor.ToText(at)) : null;
        }

        for (var i = 0; i < read?.Length; i++)
            at[i] = Math.Max(at[i], read[i]);
        return await listener.WaitAsync(idle, time, cancellationToken) ? null : new EventBatch([], EventCursor.ToText(at));
    }

    /// <summary>Moves the place on over a page.</summary>
    /// <returns>What is new in it, with the place behind each.</returns>
    private static List<StreamedEvent> Number(IReadOnlyList<TaskEvent> page, long[] at, Func<TaskEvent, bool> passes)
    {
        var events = new List<StreamedEvent>(page.Count);
        foreach (var e in page)
        {
            if (e.Id <= at[e.Stream])
                continue;
            at[e.Stream] = e.Id;
            if (passes(e))
                events.Add(new StreamedEvent(e, EventCursor.ToText(at)));
        }

        return events;
    }

    private Task<Dictionary<Guid, TaskState>> OwnersAsync(IEnumerable<TaskEvent> page, CancellationToken cancellationToken) =>
        queries.OwnersAsync([.. page.Select(e => e.TaskId).Distinct()], cancellationToken);

    [LoggerMessage(LogLevel.Warning, "Reading the stream of events failed; trying again")]
    private partial void LogFailed(Exception fault);
}
