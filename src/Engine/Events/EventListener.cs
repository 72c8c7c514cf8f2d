using System.Threading.Channels;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Events;

/// <summary>Selects the events of a listener.</summary>
/// <param name="Queues">Base names of the queues; null is all.</param>
/// <param name="Access">The caller's access.</param>
public sealed record EventFilter(IReadOnlySet<string>? Queues, Access Access)
{
    /// <summary>Whether the owners of tasks are needed.</summary>
    internal bool NeedsOwners => !Access.Others.IsAll;

    internal bool Passes(TaskEvent e, IReadOnlyDictionary<Guid, TaskState> owners) =>
        e.Type is not (TaskEventType.Dispatched or TaskEventType.Overwritten) && Queues?.Contains(e.Queue) != false
            && Access.Allows(e.Queue)
            && (!NeedsOwners || (owners.TryGetValue(e.TaskId, out var task) && Access.CanRead(task.Owner, task.Queue)));
}

/// <summary>A batch of events; empty if nothing happened for a while.</summary>
/// <param name="Events">The events, each with the cursor after it.</param>
/// <param name="Cursor">The cursor after all events delivered or skipped so far.</param>
public sealed record EventBatch(IReadOnlyList<StreamedEvent> Events, string Cursor);

/// <summary>A streamed event.</summary>
/// <param name="Event">The event.</param>
/// <param name="Cursor">The cursor to resume after it.</param>
public sealed record StreamedEvent(TaskEvent Event, string Cursor);

/// <summary>Events of one read.</summary>
/// <param name="Events">The events.</param>
internal sealed record EventPage(IReadOnlyList<TaskEvent> Events)
{
    /// <summary>Offsets from which the reader begins again; null if it continues.</summary>
    public long[]? RewindTo { get; init; }

    /// <summary>Mark of the server that it reads from then on.</summary>
    public int Server { get; init; }
}

/// <summary>A subscriber to the event feed. Unread pages are buffered up to a limit; beyond it, the listener gets an exception.</summary>
internal sealed class EventListener(EventFilter filter)
{
    private const int MaxWaiting = 10_000;

    private readonly Channel<EventPage> _pages = Channel.CreateUnbounded<EventPage>(new() { SingleReader = true });
    private int _waiting;
    private long[]? _read;

    public EventFilter Filter => filter;

    /// <summary>The reader's offsets after the last page it delivered; null before the first.</summary>
    public long[]? Read => Volatile.Read(ref _read);

    /// <summary>Delivers a page.</summary>
    /// <param name="page">The events.</param>
    /// <param name="owners">The tasks of the events, for their owners.</param>
    /// <param name="read">The reader's offsets after the page; immutable.</param>
    public void Hear(IReadOnlyList<TaskEvent> page, IReadOnlyDictionary<Guid, TaskState> owners, long[] read)
    {
        List<TaskEvent> events = [.. page.Where(e => filter.Passes(e, owners))];
        if (events.Count > 0 && Interlocked.Add(ref _waiting, events.Count) > MaxWaiting)
        {
            _pages.Writer.TryComplete(new TimeoutException("The listener reads too slowly."));
            return;
        }

        if (events.Count > 0)
            _pages.Writer.TryWrite(new EventPage(events));
        Volatile.Write(ref _read, read); // after the page: a listener with no page before it has seen everything up to here
    }

    /// <summary>Lets later pages begin again at lower offsets.</summary>
    public void Rewind(long[] to, int server)
    {
        _pages.Writer.TryWrite(new EventPage([]) { RewindTo = to, Server = server });
        Volatile.Write(ref _read, to);
    }

    /// <summary>Takes a buffered page, or null.</summary>
    public EventPage? Take()
    {
        if (!_pages.Reader.TryRead(out var page))
            return null;
        Interlocked.Add(ref _waiting, -page.Events.Count);
        return page;
    }

    /// <summary>Waits for a page; false on timeout.</summary>
    /// <exception cref="TimeoutException">The listener was too slow.</exception>
    public async Task<bool> WaitAsync(TimeSpan time, TimeProvider clock, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(time, clock);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        try
        {
            return await _pages.Reader.WaitToReadAsync(over.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }
}
