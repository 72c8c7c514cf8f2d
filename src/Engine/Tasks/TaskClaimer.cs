using System.Diagnostics;
using System.Text;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Memory;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Workers;

namespace TaskQueue.Engine.Tasks;

/// <summary>Gives due tasks to pull workers, at once or as soon as some are due.</summary>
public sealed class TaskClaimer(ITaskStore store, QueueCatalog queues, WorkNotifier workNotifier, PostCommitNotifier postCommit,
    TaskMetrics metrics, MemoryBudget budget, WorkerRegistry workers, TimeProvider time)
{
    /// <summary>Bytes of the first claim, unless payloads are limited to less: many small tasks, or a single large one.</summary>
    private const long FirstBytes = 1024 * 1024;

    /// <summary>Groups of claims for the same targets that run at a time: more use several processors of the database.</summary>
    private const int Parallel = 2;

    /// <summary>
    /// Tasks of a group, and of a request that joins one: combining saves transactions, which matters for small claims alone, and matching
    /// each task with its request costs more the more there are. Claims behind a limit wait for each other anyway.
    /// </summary>
    private const int MaxTasks = 50, MaxSmall = 25, MaxLimitedTasks = 2000;

    private readonly CombinedClaims _small = new(store, budget.MaxAnswerBytes, Parallel, MaxTasks),
        _limited = new(store, budget.MaxAnswerBytes, parallel: 1, MaxLimitedTasks);

    /// <summary>Maximum wait of a worker before it looks again, in case a broker outage lost a notification.</summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(5);

    /// <summary>Same for queues at a limit: a token that returns notifies nobody.</summary>
    private static readonly TimeSpan LookAgainAtLimit = TimeSpan.FromMilliseconds(250);

    /// <summary>Claims up to the maximum of tasks and bytes; if nothing is due, waits for work and then claims.</summary>
    /// <param name="request">The worker's request.</param>
    /// <param name="wait">Maximum wait if nothing is due; zero returns at once.</param>
    /// <param name="cancellationToken">Ends the wait when the worker disconnects.</param>
    /// <param name="heartbeat">Heartbeat of a worker in this process: idle while there is no work, beats with every attempt to
    /// claim.</param>
    /// <param name="keep">Receives and disposes the memory reserved for the claimed tasks; without it that memory is no longer
    /// counted.</param>
    /// <exception cref="OverloadedException">There is no memory for the tasks that might be claimed.</exception>
    public async Task<IReadOnlyList<TaskState>> ClaimAsync(ClaimRequest request, TimeSpan wait, CancellationToken cancellationToken,
        LoopHeartbeat? heartbeat = null, Action<MemoryLease>? keep = null)
    {
        var begin = time.GetTimestamp();
        var worker = request.Registered
            ?? (request.Contact is { } contact ? workers.Seen(request.WorkerKey, contact, request.Targets) : null);
        while (true)
        {
            using var waiter = wait > TimeSpan.Zero ? workNotifier.Register(request.Targets) : null;
            cancellationToken.ThrowIfCancellationRequested();
            if (worker is { IsDraining: true })
                return [];
            var known = await queues.AllAsync();
            var now = Micros.Now(time);
            var open = request with { Targets = [.. request.Targets.Distinct()
                .Where(t => known.GetValueOrDefault(t.Queue) is not { Settings.Paused: true })] };
            var rules = RulesOf(open.Targets, known);
            var (tasks, isCut) = open.Targets.Count == 0 ? new([], false) : await TakeAsync(open, rules, now, keep, cancellationToken);
            if (tasks.Count > 0)
                postCommit.Appended();
            if (isCut)
            {
                // The claim locked more than it took, so concurrent claims found nothing.
                foreach (var target in open.Targets.DistinctBy(t => t.Queue, StringComparer.Ordinal))
                {
                    store.NoteWaiting(target, null);
                    workNotifier.NotifyAll(target.Queue);
                }
            }

            if (tasks.Count > 0 || waiter is null || wait <= time.GetElapsedTime(begin))
                return tasks;
            var look = await TimeToLookAsync(open.Targets, now, wait - time.GetElapsedTime(begin));
            heartbeat?.Rest();
            await waiter.WaitAsync(rules.Limits.Count > 0 && look > LookAgainAtLimit ? LookAgainAtLimit : look, cancellationToken);
            heartbeat?.Beat();
            if (worker is not null)
                workers.SeenAgain(worker);
        }
    }

    /// <summary>Bytes of a task's payload, headers and progress.</summary>
    internal static long BytesOf(TaskState task) =>
        Encoding.UTF8.GetByteCount(task.Payload) + BytesOf(task.Headers) + BytesOf(task.Progress);

    private static int BytesOf(string? text) => text is null ? 0 : Encoding.UTF8.GetByteCount(text);

    /// <summary>
    /// Claims with a small reservation first, which suffices if payloads are small. Only if it is used up, more memory is reserved, if
    /// free, and claimed: a claim never takes what it cannot hold, but for a single large item of a batch.
    /// </summary>
    /// <returns>The tasks, and whether the byte limit ended the claim.</returns>
    private async Task<ClaimedShare> TakeAsync(
        ClaimRequest request, ClaimRules rules, DateTime now, Action<MemoryLease>? keep, CancellationToken cancellationToken)
    {
        var first = Math.Max(FirstBytes, budget.MaxRowBytes);
        var most = Math.Min(request.MaxBytes, Math.Max(first, budget.MaxAnswerBytes));
        var memory = await budget.Claims.ReserveAsync(MemoryBudget.AnswerCost(first, request.Max), cancellationToken);
        try
        {
            var (tasks, isCut) = await TakeAsync(request with { MaxBytes = Math.Min(first, most) }, rules, now);
            var bytes = tasks.Sum(BytesOf);
            if (isCut && tasks.Count < request.Max && bytes < most && request.Order != ClaimOrder.Sequential
                && memory.TryGrow(MemoryBudget.AnswerCost(most, request.Max)))
            {
                var rest = await TakeRestAsync(request with { Max = request.Max - tasks.Count, MaxBytes = most - bytes }, rules, now);
                (tasks, bytes) = ([.. tasks, .. rest], bytes + rest.Sum(BytesOf));
            }

            if (tasks.Count == 0 || keep is null)
                return new(tasks, isCut);
            memory.Set(MemoryBudget.AnswerCost(bytes, tasks.Count));
            keep(memory);
            memory = null;
            return new(tasks, isCut);
        }
        finally
        {
            memory?.Dispose();
        }
    }

    private async Task<ClaimedShare> TakeAsync(ClaimRequest request, ClaimRules rules, DateTime now)
    {
        var begun = Stopwatch.GetTimestamp();
        var share = rules.Limits.Count > 0 || request.IsStrict ? await _limited.ClaimAsync(request, rules, now)
            : request.Max > MaxSmall ? await TakeAloneAsync(request, rules, now)
            : await _small.ClaimAsync(request, rules, now);
        metrics.Claimed(share.Tasks, Stopwatch.GetElapsedTime(begun));
        return share;
    }

    private async Task<ClaimedShare> TakeAloneAsync(ClaimRequest request, ClaimRules rules, DateTime now)
    {
        var tasks = await store.ClaimAsync(request, rules, now);
        return new(tasks, tasks.Count > 0 && tasks.Count < request.Max && 2 * tasks.Sum(BytesOf) > request.MaxBytes);
    }

    /// <summary>
    /// The tasks claimed first must reach their worker, whatever happens to the rest. Of the rest, a task that is too large would be
    /// claimed regardless.
    /// </summary>
    private async Task<IReadOnlyList<TaskState>> TakeRestAsync(ClaimRequest request, ClaimRules rules, DateTime now)
    {
        if (request.MaxBytes < budget.MaxRowBytes)
            return [];
        try
        {
            return (await TakeAsync(request, rules, now)).Tasks;
        }
        catch (Exception fault) when (StorageFaults.IsTransient(fault))
        {
            return [];
        }
    }

    private static ClaimRules RulesOf(IReadOnlyList<QueueTier> targets, IReadOnlyDictionary<string, QueueRecord> known)
    {
        List<QueueLimit>? limits = null;
        List<string>? silent = null;
        foreach (var target in targets)
        {
            if (known.GetValueOrDefault(target.Queue) is not { } queue)
                continue;
            var settings = queue.Settings;
            if (settings.IsLimited && (limits ??= []).TrueForAll(g => g.Queue != queue.Name))
                limits.Add(new QueueLimit(queue.Name, settings.MaxRunning, settings.Rate));
            if (settings.Events != EventPolicy.All)
                (silent ??= []).Add(queue.Name);
        }

        return limits is null && silent is null ? ClaimRules.None : new ClaimRules(limits ?? [], silent ?? []);
    }

    /// <param name="targets">The targets.</param>
    /// <param name="claimed">Time of the claim that found nothing. A later time would miss a task that became due in between, which is
    /// common: timers fire a few milliseconds early.</param>
    /// <param name="left">Remaining wait, by a monotonic clock.</param>
    private async Task<TimeSpan> TimeToLookAsync(IReadOnlyList<QueueTier> targets, DateTime claimed, TimeSpan left)
    {
        var due = await store.NextDueAsync(targets, claimed);
        var look = left < LookAgain ? left : LookAgain;
        if (due - time.GetUtcNow().UtcDateTime is { } untilDue && untilDue < look)
            look = untilDue;
        // Timers may fire a millisecond early.
        return look > TimeSpan.Zero ? look + TimeSpan.FromMilliseconds(1) : TimeSpan.Zero;
    }
}
