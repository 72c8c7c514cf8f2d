using System.Threading.Channels;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Events;

/// <summary>What a listener wants to hear of.</summary>
/// <param name="Queues">Base names; null is all.</param>
/// <param name="Access">What it may see.</param>
public sealed record EventFilter(IReadOnlySet<string>? Queues, Access Access)
{
    /// <summary>Whether one must know whose a task is.</summary>
    internal bool NeedsOwners => !Access.Others.IsAll;

    internal bool Passes(TaskEvent e, IReadOnlyDictionary<Guid, TaskState> owners) =>
        e.Type is not (TaskEventType.Dispatched or TaskEventType.Overwritten) && Queues?.Contains(e.Queue) != false
            && Access.Allows(e.Queue)
            && (!NeedsOwners || (owners.TryGetValue(e.TaskId, out var task) && Access.CanRead(task.Owner, task.Queue)));
}

/// <summary>Events of the stream, none where nothing happened for a while.</summary>
/// <param name="Events">Each with the place behind it.</param>
/// <param name="Cursor">The place behind all that was said or passed over so far.</param>
public sealed record EventBatch(IReadOnlyList<StreamedEvent> Events, string Cursor);

/// <summary>An event of the stream.</summary>
/// <param name="Event">What happened.</param>
/// <param name="Cursor">From where to go on behind it.</param>
public sealed record StreamedEvent(TaskEvent Event, string Cursor);

/// <summary>
/// One who listens. What it does not take waits for it, up to a limit; behind that it gets an exception instead of the rest.
/// </summary>
internal sealed class EventListener(EventFilter filter)
{
    private const int MaxWaiting = 10_000;

    private readonly Channel<IReadOnlyList<TaskEvent>> _pages =
        Channel.CreateUnbounded<IReadOnlyList<TaskEvent>>(new() { SingleReader = true });
    private int _waiting;
    private long[]? _read;

    public EventFilter Filter => filter;

    /// <summary>Where the reader stood when it had last handed over a page; null before.</summary>
    public long[]? Read => Volatile.Read(ref _read);

    /// <summary>Hands over what the reader has read.</summary>
    /// <param name="page">The events.</param>
    /// <param name="owners">Whose their tasks are.</param>
    /// <param name="read">Where it stands now; not changed any more.</param>
    public void Hear(IReadOnlyList<TaskEvent> page, IReadOnlyDictionary<Guid, TaskState> owners, long[] read)
    {
        List<TaskEvent> events = [.. page.Where(e => filter.Passes(e, owners))];
        if (events.Count > 0 && Interlocked.Add(ref _waiting, events.Count) > MaxWaiting)
        {
            _pages.Writer.TryComplete(new TimeoutException("The listener reads too slowly."));
            return;
        }

        if (events.Count > 0)
            _pages.Writer.TryWrite(events);
        Volatile.Write(ref _read, read); // after the page: who finds none in front of it has heard all up to here
    }

    /// <summary>A page that waits, or null.</summary>
    public IReadOnlyList<TaskEvent>? Take()
    {
        if (!_pages.Reader.TryRead(out var page))
            return null;
        Interlocked.Add(ref _waiting, -page.Count);
        return page;
    }

    /// <summary>Waits until a page is there; false when the time was over first.</summary>
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
