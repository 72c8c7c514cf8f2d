using System.Runtime.ExceptionServices;
using Microsoft.Extensions.Options;
using TaskQueue.Contracts;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Logs;
using TaskQueue.Engine.Notifications;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Quotas;
using TaskQueue.Engine.Telemetry;
using TaskQueue.Engine.Workers;

namespace TaskQueue.Engine.Tasks;

/// <summary>
/// Submits tasks and applies commands to them. APIs and bus consumers use only these methods. When a method returns, its effect is
/// committed.
/// </summary>
public sealed class TaskService(
    ITaskCommitter committer, ITaskStore store, PostCommitNotifier postCommit, QueueCatalog queues, ITaskQueries queries,
    InFlightLimiter inFlight, AdmissionLimiter admission, WaitingTaskQuota quota, TaskMetrics metrics, WorkerRegistry workers,
    IOptions<EngineOptions> options, IOptions<WebhookOptions> webhooks, TaskLogs logs,
    TimeProvider time)
{
    /// <summary>Default lease in milliseconds.</summary>
    public const int DefaultLeaseMs = 15_000;

    /// <summary>Maximum length of a worker's progress text in characters.</summary>
    public const int MaxProgress = 4096;

    /// <summary>Maximum time for which a worker may snooze a task.</summary>
    public static readonly TimeSpan MaxSnooze = TimeSpan.FromDays(30);

    /// <summary>Submits a task.</summary>
    /// <returns>Accepted, or a duplicate of another task by its id or dedupe key.</returns>
    /// <exception cref="InvalidSubmissionException">It is invalid.</exception>
    /// <exception cref="TaskIdConflictException">Its id is taken by another tenant or by a deleted task.</exception>
    /// <exception cref="OverloadedException">Too many requests wait for the database; nothing was done.</exception>
    /// <exception cref="QuotaExceededException">The owner's limit on waiting tasks is reached; nothing was done.</exception>
    public async Task<SubmitResult> SubmitAsync(TaskSubmission submission)
    {
        TaskSubmission[] one = [submission];
        // Tasks that may conflict with others are inserted by a statement of their own, which must see the others.
        if (submission is not { DedupeKey: null, OrderingKey: null })
            return (await SubmitManyAsync(one))[0];
        using var room = await quota.ReserveAsync(one, static s => s.Owner);
        using var place = admission.Enter(one);
        using var send = TaskTrace.StartSend(one);
        var command = new SubmitTask((await PrepareAsync(one, TaskTrace.Sent(send)))[0].Task);
        if ((await committer.CommitAsync([command]))[0] is { } fault)
            ExceptionDispatchInfo.Throw(fault);
        if (command.CommandResult == CommandResult.IdConflict)
            throw new TaskIdConflictException(submission.Id);
        if (command.CommandResult != CommandResult.Applied)
            return new SubmitResult(submission.Id, SubmitStatus.IdTaken, null);
        room?.Accept(submission.Owner);
        command.Task.State = TaskStates.Pending; // the state machine worked on a copy
        return new SubmitResult(submission.Id, SubmitStatus.Accepted, command.Task);
    }

    /// <summary>Submits many tasks in one transaction; existing ids are left unchanged.</summary>
    /// <param name="submissions">The tasks.</param>
    /// <param name="step">What the tasks are submitted for, such as the tick of a schedule.</param>
    /// <returns>The result of each task, in order; empty if another process applied the step.</returns>
    /// <exception cref="InvalidSubmissionException">A task is invalid: none is accepted.</exception>
    /// <exception cref="TaskIdConflictException">An id is taken by another tenant or by a deleted task: none is accepted.</exception>
    /// <exception cref="QuotaExceededException">The owner's limit on waiting tasks would be exceeded: none is accepted.</exception>
    public async Task<IReadOnlyList<SubmitResult>> SubmitManyAsync(IReadOnlyList<TaskSubmission> submissions, InsertStep? step = null)
    {
        using var room = await quota.ReserveAsync(submissions, static s => s.Owner);
        using var place = admission.Enter(submissions);
        using var send = TaskTrace.StartSend(submissions);
        var tasks = await PrepareAsync(submissions, TaskTrace.Sent(send));
        foreach (var (task, _) in tasks)
            task.State = TaskStates.Pending;
        var answers = await store.InsertAsync(tasks, step) ?? [];
        foreach (var answer in answers)
        {
            if (answer.Result == SubmitStatus.Accepted)
                room?.Accept(answer.Task!.Owner);
        }

        metrics.Inserted(answers.Where(a => a.Result == SubmitStatus.Accepted).Select(a => a.Task!));

        postCommit.Inserted(answers.Where(a => a.Result is SubmitStatus.Accepted or SubmitStatus.Overwritten).Select(a => a.Task!));
        return answers;
    }

    /// <summary>Validates a submission without accepting it.</summary>
    /// <exception cref="InvalidSubmissionException">It is invalid.</exception>
    public void Check(TaskSubmission submission)
    {
        if (ProblemOf(submission) is { } problem)
            throw new InvalidSubmissionException(problem);
    }

    /// <summary>The validation error of a submission and its remedy, or null.</summary>
    public string? ProblemOf(TaskSubmission submission) =>
        SubmissionRules.Check(submission, submission.BatchId is null ? options.Value.MaxPayloadBytes : options.Value.LargestBatchItem())
            ?? (submission.CompletionActions?.CallbackUrl is { } url ? CallbackRules.Check(url, webhooks.Value) : null);

    /// <summary>Applies reports of workers on many attempts; commands for one task are applied in the given order.</summary>
    /// <returns>The same commands, each with its result.</returns>
    public Task<IReadOnlyList<T>> ApplyAsync<T>(IReadOnlyList<T> commands)
        where T : TaskCommand => ApplyAsync(commands, Access.All);

    /// <summary>Same with the access of a caller: tasks that it may not see are not found.</summary>
    public async Task<IReadOnlyList<T>> ApplyAsync<T>(IReadOnlyList<T> commands, Access access)
        where T : TaskCommand
    {
        using var place = admission.Enter(commands);
        foreach (var command in commands)
            command.Access = access;
        var faults = await committer.CommitAsync(commands);
        if (ChunksOf(commands) is { } chunks)
            await logs.AppendAsync(chunks);
        if (faults.FirstOrDefault(fault => fault is not null) is { } first)
            ExceptionDispatchInfo.Throw(first);
        WorkerReports.Note(workers, commands, access);
        return commands;
    }

    /// <summary>Applies commands of the engine's own loops independently: a failing one does not hide the results of the others.</summary>
    /// <returns>The exception of each command, in order; null if the state machine answered.</returns>
    internal async Task<IReadOnlyList<Exception?>> TryApplyAsync(IReadOnlyList<TaskCommand> commands)
    {
        using var place = admission.Enter(commands);
        return await committer.CommitAsync(commands);
    }

    /// <summary>Begins an attempt that was dispatched to a bus worker.</summary>
    public StartTask Start(Guid id, int attempt, string worker, int? leaseMs) => new(id, Now, attempt, TextRules.Clean(worker)!, leaseMs);

    /// <summary>Renews the lease of a running attempt.</summary>
    /// <param name="id">The task.</param>
    /// <param name="attempt">The running attempt.</param>
    /// <param name="worker">The worker that runs it, if known.</param>
    /// <param name="leaseMs">New lease in milliseconds, or null to keep it.</param>
    /// <param name="progress">JSON text of at most <see cref="MaxProgress"/> characters, or null; longer text is dropped.</param>
    public RenewLease Renew(Guid id, int attempt, string? worker, int? leaseMs = null, string? progress = null) =>
        new(id, Now, attempt, worker, leaseMs, progress?.Length > MaxProgress ? null : TextRules.Clean(progress));

    /// <summary>Ends a running attempt with a result.</summary>
    public CompleteTask Complete(Guid id, int attempt, string? worker, string? result) =>
        new(id, Now, attempt, worker, TextRules.Clean(result));

    /// <summary>Ends a running attempt with an error.</summary>
    public FailTask Fail(Guid id, int attempt, string? worker, string error, bool retryable) =>
        new(id, Now, attempt, worker, TextRules.Clean(error)!, retryable);

    /// <summary>Snoozes the task of a running attempt; the attempt does not count.</summary>
    public SnoozeTask Snooze(Guid id, int attempt, string? worker, TimeSpan wait) => new(id, Now, attempt, worker, wait);

    /// <summary>Deletes a task, whatever its state.</summary>
    public DeleteTask Delete(Guid id) => new(id, Now);

    /// <summary>Retries a failed or cancelled task.</summary>
    public RetryTask Retry(Guid id, DateTime? scheduledAt, DateTime? expiresAt) => new(id, Now, Cut(scheduledAt), Cut(expiresAt));

    /// <summary>Cancels a task that has not ended.</summary>
    public async Task<CommandResult> CancelAsync(Guid id, Access access) =>
        (await ApplyAsync([new CancelTask(id, Now)], access))[0].CommandResult;

    /// <summary>Retries a failed or cancelled task immediately.</summary>
    public async Task<CommandResult> RetryAsync(Guid id, Access access) =>
        (await ApplyAsync([new RetryTask(id, Now)], access))[0].CommandResult;

    /// <summary>Redrives all current dead letters of a queue; those that fail again stay dead.</summary>
    /// <param name="queue">Base name.</param>
    /// <param name="cancellationToken">Ends it between two steps.</param>
    /// <param name="access">Only those that the caller may see; null is all.</param>
    /// <returns>Number of tasks restarted, and number skipped: another task holds their dedupe key, or they are already being
    /// restarted.</returns>
    public async Task<(int Restarted, int Skipped)> RedriveAsync(string queue, CancellationToken cancellationToken, Access? access = null)
    {
        var (restarted, skipped) = (0, 0);
        var start = Now;
        TaskCursor? from = null;
        while ((await queries.DeadAsync(queue, from, RedriveBatch, cancellationToken, access))
            .FindAll(t => t.At <= start) is { Count: > 0 } deadLetters)
        {
            var commands = await ApplyAsync(deadLetters.ConvertAll(t => Retry(t.Id, null, null)), access ?? Access.All);
            var done = commands.Count(c => c.CommandResult == CommandResult.Applied);
            restarted += done;
            skipped += commands.Count - done;
            from = deadLetters[^1];
        }

        return (restarted, skipped);
    }

    /// <summary>Deletes the current waiting and running tasks and dead letters of a queue that the caller may see.</summary>
    public async Task PurgeAsync(string queue, Access access, CancellationToken cancellationToken)
    {
        var (start, from) = (Now, (Guid?)null);
        while (await queries.LiveIdsAsync(queue, from, start, RedriveBatch, access, cancellationToken) is { Count: > 0 } ids)
        {
            await ApplyAsync(ids.ConvertAll(Delete), access);
            from = ids[^1];
        }
    }

    /// <summary>
    /// Cancels the currently waiting tasks of a queue and tier that the caller may see, and unlocks it for sequential claims.
    /// </summary>
    public async Task ClearAsync(QueueTier tier, Access access, CancellationToken cancellationToken)
    {
        var now = Now;
        await store.UnlockAsync(tier);
        while (await queries.WaitingIdsAsync(tier, now, RedriveBatch, access, cancellationToken) is { Count: > 0 } ids)
            await ApplyAsync(ids.ConvertAll(id => new CancelTask(id, now)), access);
    }

    private const int RedriveBatch = 500;

    private DateTime Now => Micros.Now(time);

    /// <summary>What the workers that hold the leases logged; null if nothing.</summary>
    private static List<TaskLogChunk>? ChunksOf<T>(IReadOnlyList<T> commands)
        where T : TaskCommand
    {
        List<TaskLogChunk>? chunks = null;
        foreach (var command in commands)
        {
            if (command is AttemptCommand { Logs: { Count: > 0 } lines, CommandResult: CommandResult.Applied } report)
                (chunks ??= []).Add(new TaskLogChunk(report.CorrelationId, report.Attempt, lines));
        }

        return chunks;
    }

    private async ValueTask<List<NewTask>> PrepareAsync(IReadOnlyList<TaskSubmission> submissions, TraceHeaders? trace)
    {
        var known = await queues.AllAsync();
        var now = Now;
        var tasks = new List<NewTask>(submissions.Count);
        for (var i = 0; i < submissions.Count; i++)
        {
            var submission = submissions[i];
            if (ProblemOf(submission) is { } problem)
                throw new InvalidSubmissionException(problem, i);
            var queue = known.GetValueOrDefault(submission.Queue);
            if (submission.OrderingKey is not null && queue?.Delivery == Delivery.Push)
                throw new InvalidSubmissionException($"ordering_key needs a pull queue, and {submission.Queue} is a push queue", i);
            tasks.Add(new NewTask(ToTask(submission, queue, now, trace), submission.Overwrite) { PayloadFor = PayloadFor(submission) });
        }

        ListOrder.Keep(tasks, now);
        ListingIds.Assign(tasks, now, time);
        foreach (var (task, _) in tasks)
            task.DispatchAt = TaskStateMachine.FirstDispatch(task, atOnce: !inFlight.IsFull);
        return tasks;
    }

    private static Func<Guid, string>? PayloadFor(TaskSubmission submission) =>
        submission.Overwrite.HasFlag(OverwriteFields.Payload) ? holder => TaskMessage.For(submission.Payload, submission.Id, holder) : null;

    /// <summary>Builds the row of a submission: unset values are taken from its tier, then its queue, and frozen.</summary>
    private static TaskState ToTask(TaskSubmission submission, QueueRecord? queue, DateTime now, TraceHeaders? trace)
    {
        var settings = queue?.Settings ?? QueueSettings.Default;
        var tier = settings.At(submission.Tier);
        var retry = submission.Retry ?? tier?.Retry ?? settings.Retry;
        var attempts = submission.MaxAttempts ?? (submission.Retry?.Intervals?.Count + 1) ?? tier?.MaxAttempts ?? settings.MaxAttempts
            ?? (retry?.Intervals?.Count + 1) ?? SubmissionRules.DefaultMaxAttempts;
        var due = Cut(submission.ScheduledAt) is { } at && at > now ? at : now;
        return new TaskState
        {
            CorrelationId = submission.Id,
            Queue = submission.Queue,
            Tier = submission.Tier,
            Priority = submission.Priority ?? tier?.Priority ?? Priority.Normal,
            Push = queue?.Delivery == Delivery.Push,
            Name = submission.Name,
            DedupeKey = TenantKey.Of(submission.Owner, submission.DedupeKey),
            OrderingKey = TenantKey.Of(submission.Owner, submission.OrderingKey),
            Blocked = submission.OrderingKey is not null,
            Payload = submission.Payload,
            Headers = trace is null ? submission.Headers : trace.Into(submission.Headers),
            AttemptsLeft = attempts,
            MaxAttempts = attempts,
            Retry = RetryBackoff.ToText(retry),
            DefaultLeaseMs = submission.LeaseSeconds is { } lease ? (int)(lease * 1000) : tier?.LeaseMs ?? settings.LeaseMs
                ?? DefaultLeaseMs,
            CreatedAt = now,
            DueAt = due,
            ExpiresAt = SubmissionRules.Expiry(settings, submission.Tier, due, Cut(submission.ExpiresAt)),
            CompletionActions = CompletionActionsJson.ToText(submission.CompletionActions),
            BatchId = submission.BatchId,
            Owner = submission.Owner,
            Tags = TaskTags.Join(submission.Tags),
            ScheduleId = submission.ScheduleId,
            Settings = settings,
        };
    }

    private static DateTime? Cut(DateTime? time) => time is { } t ? Micros.Cut(t) : null;
}
