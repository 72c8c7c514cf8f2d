using Microsoft.Extensions.Options;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Notifications;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Workers;

namespace TaskQueue.Engine.Why;

/// <summary>Tells why a task does not run. Nothing is kept for that: it costs two or three reads, and only when somebody asks.</summary>
public sealed class WhyService(
    IWhyQueries queries, QueueCatalog queues, WorkerRegistry workers, IPushQueues push, ITaskStore store, InFlightLimiter inFlight,
    IOptions<WorkerOptions> options, TimeProvider time)
{
    /// <summary>Answers for a task; null if there is none that the caller may read.</summary>
    public Task<WhyAnswer?> AskAsync(Guid id, Access access, CancellationToken cancellationToken) =>
        AskAsync(id, access, isConfined: false, cancellationToken);

    /// <summary>Answers for a task; null if there is none that the caller may read.</summary>
    /// <param name="id">The task.</param>
    /// <param name="access">What the caller may read.</param>
    /// <param name="isConfined">Whether the caller learns nothing of other tenants: no numbers of tasks in queues that they share.</param>
    /// <param name="cancellationToken">Cancels the reads.</param>
    public async Task<WhyAnswer?> AskAsync(Guid id, Access access, bool isConfined, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(access);
        var now = Micros.Now(time);
        if (await queries.FindAsync(id, access, now, cancellationToken) is not { } task)
            return null;
        if (TaskStates.IsTerminal(task.State))
            return new WhyAnswer(id, task.State, WhyText.Ended(task, now), []);
        if (await queries.ReadAsync(task, now, cancellationToken) is not { } facts)
            return null;
        if (task.State == TaskStates.Running)
        {
            return new WhyAnswer(id, task.State, WhyText.Running(task), facts.SetAsideAt is null ? []
                : [new(Gates.Quarantined, WhyText.SetAside(facts.SetAsideAt, task))]);
        }

        var gates = WaitingGates.Of(await ViewAsync(task, facts, access, isConfined, now, cancellationToken));
        return new WhyAnswer(id, task.State, gates[0].Message, gates);
    }

    private async Task<WaitingView> ViewAsync(
        TaskState task, WaitingFacts facts, Access access, bool isConfined, DateTime now, CancellationToken cancellationToken)
    {
        var declared = await queues.FindAsync(task.Queue);
        var settings = declared?.Settings ?? QueueSettings.Default;
        // A worker may have come since the registry was last written.
        var isServed = facts.IsServed || workers.IsServed(new(task.Queue, task.Tier), now - options.Value.LostAfter);
        Guid?[] before = [task.Blocked ? facts.RunningHead ?? facts.WaitingHead : null, facts.LockedBy];
        List<Guid> ids = [.. before.OfType<Guid>()];
        var view = new WaitingView(task, settings, facts with { IsServed = isServed }, now)
        {
            Seen = ids.Count == 0 ? [] : await queries.FindHoldersAsync(ids, access, cancellationToken),
            Running = WaitingView.IsFull(task, settings, facts) ? await queries.RunningAsync(task.Queue, access, cancellationToken) : [],
            IsBusFull = inFlight.IsFull,
            ShowsReasons = access.Others.Match(task.Queue),
            ShowsCounts = access.Others.Match(task.Queue)
                || (declared?.Owner is { } owner ? access.CanSeeQueue(owner, task.Queue) : !isConfined),
        };
        if (WaitingView.SentAt(task, now) is null || settings.Paused || task.DueAt > now)
            return view;
        var state = await push.ReadAsync(task.Queue);
        return view with { Push = state, OldestEventAt = state.HeldSince is null ? await OldestEventAsync() : null };
    }

    private async Task<DateTime?> OldestEventAsync() =>
        (await store.ReadEventsAsync(await store.LoadOffsetsAsync(), max: 1)).Min(e => (DateTime?)e.At);
}
