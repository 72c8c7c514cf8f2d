using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using TaskQueue.Engine.Clocks;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Notifications;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Events;

/// <summary>
/// Streams task events as they occur. One reader for all listeners of this process reads the outbox while there are any. Events of one
/// task arrive in order, and none is skipped between the start and the end of a listener.
/// </summary>
public sealed class EventFeed(
    ITaskStore store, ITaskQueries queries, PostCommitNotifier postCommit, DatabaseWatch database, PollingServices services)
    : PollingService(services)
{
    private const int MaxRead = 250; // per partition
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(250);

    /// <summary>Pause between two reads, so that under load one read carries the commits of several groups.</summary>
    private static readonly TimeSpan Breath = TimeSpan.FromMilliseconds(10);

    private static readonly IReadOnlyDictionary<Guid, TaskState> NoOwners = new Dictionary<Guid, TaskState>();

    private readonly ConcurrentDictionary<EventListener, byte> _listeners = new();
    private readonly SemaphoreSlim _mutex = new(1);
    private readonly Signal _joined = new();
    private long[]? _read; // offsets of the reader; null without listeners
    private int _failovers;

    /// <inheritdoc />
    public override void Dispose()
    {
        _mutex.Dispose();
        _joined.Dispose();
        base.Dispose();
    }

    /// <summary>Streams events until cancelled. The first batch arrives at once: every event from then on is delivered.</summary>
    /// <param name="filter">Selects the events.</param>
    /// <param name="after">Position to start from, as parsed by <see cref="EventCursor"/>; null is now. Events past their retention are
    /// skipped.</param>
    /// <param name="idle">An empty batch is returned after this time without events.</param>
    /// <param name="cancellationToken">Ends the stream.</param>
    /// <exception cref="TimeoutException">The listener reads too slowly; it may resume from its last cursor.</exception>
    public async IAsyncEnumerable<EventBatch> ListenAsync(EventFilter filter, EventPosition? after, TimeSpan idle,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var listener = new EventListener(filter);
        var failovers = database.Failovers;
        try
        {
            if (after is null)
                await JoinAsync(listener, cancellationToken);
            // The mark before the events: with an older one they are only sent again after a failover.
            var position = new Position(database.ServerMark, await store.EndOfEventsAsync());
            if (after is not null)
            {
                position.At = await ResumeAsync(after, position);
                await foreach (var batch in CatchUpAsync(listener, position, failovers, cancellationToken))
                    yield return batch;
            }

            yield return new EventBatch([], position.ToText());
            while (true)
            {
                if (await NextAsync(listener, position, idle, cancellationToken) is { } batch)
                    yield return batch;
            }
        }
        finally
        {
            _listeners.TryRemove(listener, out _);
        }
    }

    /// <inheritdoc />
    protected override TimeSpan AfterFault => LookAgain;

    /// <inheritdoc />
    protected override async Task<TimeSpan> PollAsync(CancellationToken cancellationToken)
    {
        var read = await ReadAsync(cancellationToken); // nothing is lost by a fault: the next read resumes at the last offset
        return _listeners.IsEmpty ? Timeout.InfiniteTimeSpan : read >= MaxRead ? TimeSpan.Zero : LookAgain;
    }

    /// <inheritdoc />
    protected override async Task WaitAsync(TimeSpan wait, CancellationToken cancellationToken)
    {
        if (wait == Timeout.InfiniteTimeSpan)
        {
            await _joined.WaitAsync(wait, cancellationToken);
        }
        else if (wait > TimeSpan.Zero)
        {
            await postCommit.Stream.WaitAsync(wait, cancellationToken);
            await Task.Delay(Breath, Time, cancellationToken);
        }
    }

    private async Task JoinAsync(EventListener listener, CancellationToken cancellationToken)
    {
        await _mutex.WaitAsync(cancellationToken);
        try
        {
            if (_read is null)
            {
                _failovers = database.Failovers; // the end is what the database has now: an earlier failover concerns no listener
                _read = await store.EndOfEventsAsync();
            }

            _listeners[listener] = 0;
        }
        finally
        {
            _mutex.Release();
        }

        _joined.Set();
    }

    /// <summary>
    /// Where a client goes on. Ids of another server, or beyond the end, are of events that a failover has lost, and what came since may
    /// have them: so it begins again where the reader would (<see cref="NoteFailoverAsync"/>).
    /// </summary>
    private async Task<long[]> ResumeAsync(EventPosition after, Position end)
    {
        var isLost = (after.Server != 0 && end.Server != 0 && after.Server != end.Server)
            || after.Offsets.Zip(end.At).Any(o => o.First > o.Second);
        IEnumerable<long> at = after.Offsets.Zip(end.At, Math.Min); // an offset beyond the end would hide earlier events
        return isLost ? [.. at.Zip(await store.LoadFailoverOffsetsAsync(), Math.Min)] : [.. at];
    }

    /// <summary>Reads once for all listeners.</summary>
    /// <returns>Number of events read.</returns>
    private async Task<int> ReadAsync(CancellationToken cancellationToken)
    {
        await _mutex.WaitAsync(cancellationToken);
        try
        {
            if (_listeners.IsEmpty)
                _read = null;
            await NoteFailoverAsync();
            if (_read is null)
                return 0;
            var page = await store.ReadEventsAsync(_read, MaxRead);
            if (page.Count == 0)
                return 0;
            var owners = _listeners.Keys.Any(l => l.Filter.NeedsOwners) ? await OwnersAsync(page, cancellationToken) : NoOwners;
            _read = [.. _read];
            Array.ForEach([.. page], e => _read[e.Partition] = e.Id);
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
    /// After a failover the last events may be gone, and new ones have their ids: all are read again that the dispatcher had not
    /// published when the new server began, whatever it has published since.
    /// </summary>
    private async Task NoteFailoverAsync()
    {
        var failovers = database.Failovers;
        if (failovers == _failovers)
            return;
        var server = database.ServerMark;
        if (_read is not null)
        {
            _read = [.. _read.Zip(await store.LoadFailoverOffsetsAsync(), Math.Min)];
            foreach (var listener in _listeners.Keys)
                listener.Rewind(_read, server);
        }

        _failovers = failovers;
    }

    /// <summary>
    /// Reads up to the present; then the listener joins and the events that arrived in the meantime are read too. Events seen twice are
    /// dropped. A failover that was noticed before it joined is made up for here, a later one by the reader.
    /// </summary>
    private async IAsyncEnumerable<EventBatch> CatchUpAsync(EventListener listener, Position position, int failovers,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var joined = false;
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var page = await store.ReadEventsAsync(position.At, MaxRead);
            var owners = listener.Filter.NeedsOwners ? await OwnersAsync(page, cancellationToken) : NoOwners;
            var events = Number(page, position, e => listener.Filter.Passes(e, owners));
            if (page.Count > 0)
                yield return new EventBatch(events, position.ToText());
            if (page.Count >= MaxRead)
                continue;
            if (joined)
                yield break;
            await JoinAsync(listener, cancellationToken);
            joined = true;
            if (database.Failovers != failovers)
            {
                position.Server = database.ServerMark;
                position.At = [.. position.At.Zip(await store.LoadFailoverOffsetsAsync(), Math.Min)];
            }
        }
    }

    /// <summary>The next batch of a listener; null if its page had nothing new.</summary>
    private async Task<EventBatch?> NextAsync(
        EventListener listener, Position position, TimeSpan idle, CancellationToken cancellationToken)
    {
        var (read, at) = (listener.Read, position.At);
        if (listener.Take() is { } page)
        {
            for (var i = 0; i < page.RewindTo?.Length; i++)
                at[i] = Math.Min(at[i], page.RewindTo[i]);
            if (page.RewindTo is not null)
                position.Server = page.Server;
            var events = Number(page.Events, position, _ => true);
            return events.Count > 0 ? new EventBatch(events, position.ToText()) : null;
        }

        for (var i = 0; i < read?.Length; i++)
            at[i] = Math.Max(at[i], read[i]);
        return await listener.WaitAsync(idle, Time, cancellationToken) ? null : new EventBatch([], position.ToText());
    }

    /// <summary>Advances the offsets past a page.</summary>
    /// <returns>The new events of the page, each with the cursor after it.</returns>
    private static List<StreamedEvent> Number(IReadOnlyList<TaskEvent> page, Position position, Func<TaskEvent, bool> passes)
    {
        var at = position.At;
        var events = new List<StreamedEvent>(page.Count);
        foreach (var e in page)
        {
            if (e.Id <= at[e.Partition])
                continue;
            at[e.Partition] = e.Id;
            if (passes(e))
                events.Add(new StreamedEvent(e, position.ToText()));
        }

        return events;
    }

    private Task<Dictionary<Guid, TaskState>> OwnersAsync(IEnumerable<TaskEvent> page, CancellationToken cancellationToken) =>
        queries.OwnersAsync([.. page.Select(e => e.TaskId).Distinct()], cancellationToken);

    /// <summary>Up to where a listener has got.</summary>
    private sealed class Position(int server, long[] at)
    {
        public int Server { get; set; } = server;

        public long[] At { get; set; } = at;

        public string ToText() => EventCursor.ToText(At, Server);
    }
}
