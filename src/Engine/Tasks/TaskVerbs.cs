using MassTransit.Mediator;
using Microsoft.Extensions.Options;
using TaskQueue.Contracts;
using TaskQueue.Engine.Events;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Storage;

namespace TaskQueue.Engine.Tasks;

/// <summary>
/// What can be done with tasks. Doors and bus consumers call these and nothing else. When a verb returns, its effect is
/// committed.
/// </summary>
public sealed class TaskVerbs(
    IMediator mediator, ITaskStore store, CommitSignals signals, QueueCatalog queues, DispatchWindow window, IOptions<EngineOptions> options, TimeProvider time)
{
    /// <summary>Length of a lease where nobody says it.</summary>
    public const int DefaultLeaseMs = 15_000;

    /// <summary>Longest and shortest lease that may be asked for.</summary>
    public const int MinLeaseMs = 1_000, MaxLeaseMs = 24 * 3600 * 1000;

    /// <summary>Accepts one task.</summary>
    /// <returns>Applied, or Duplicate where the id was taken.</returns>
    /// <exception cref="InvalidSubmissionException">It breaks a rule.</exception>
    public async Task<Verdict> SubmitAsync(TaskSubmission submission)
    {
        var command = new SubmitTask(await AdmitAsync(submission));
        await mediator.Send(command);
        return command.Verdict;
    }

    /// <summary>Accepts many tasks in one transaction; ids that exist are left alone.</summary>
    /// <returns>The ids that are new.</returns>
    /// <exception cref="InvalidSubmissionException">One breaks a rule: none is accepted.</exception>
    public async Task<IReadOnlySet<Guid>> SubmitManyAsync(IReadOnlyList<TaskSubmission> submissions)
    {
        var tasks = new List<TaskState>(submissions.Count);
        foreach (var submission in submissions)
        {
            var task = await AdmitAsync(submission);
            task.State = TaskStates.Pending;
            tasks.Add(task);
        }

        var inserted = await store.InsertAsync(tasks);
        signals.Inserted(tasks.Where(t => inserted.Contains(t.CorrelationId)));
        return inserted;
    }

    /// <summary>Applies what a worker reports of many attempts; the commands of one task in the order given.</summary>
    /// <returns>The same commands, each with its verdict.</returns>
    public async Task<IReadOnlyList<T>> ApplyAsync<T>(IReadOnlyList<T> commands)
        where T : TaskCommand
    {
        // Each send runs up to the group's queue before the next begins, so order is kept.
        await Task.WhenAll(commands.Select(c => mediator.Send((object)c, c.GetType())));
        return commands;
    }

    /// <summary>Begins an attempt that was dispatched to a bus worker.</summary>
    public StartTask Start(Guid id, int attempt, string worker, int? leaseMs) => new(id, Now, attempt, worker, leaseMs ?? DefaultLeaseMs);

    /// <summary>Renews the lease of a running attempt.</summary>
    public RenewLease Renew(Guid id, int attempt, string? worker, int? leaseMs = null) => new(id, Now, attempt, worker, leaseMs);

    /// <summary>Ends a running attempt with a result.</summary>
    public CompleteTask Complete(Guid id, int attempt, string? worker, string? result) => new(id, Now, attempt, worker, Clean(result));

    /// <summary>Ends a running attempt with an error.</summary>
    public FailTask Fail(Guid id, int attempt, string? worker, string error, bool retryable) => new(id, Now, attempt, worker, Clean(error)!, retryable);

    /// <summary>Cancels a task that has not ended.</summary>
    public async Task<Verdict> CancelAsync(Guid id) => await ApplyAsync(new CancelTask(id, Now));

    /// <summary>Runs a Failed or Cancelled task again.</summary>
    public async Task<Verdict> RetryAsync(Guid id) => await ApplyAsync(new RetryTask(id, Now));

    private DateTime Now => Micros.Now(time);

    private async Task<Verdict> ApplyAsync(TaskCommand command)
    {
        await mediator.Send((object)command, command.GetType());
        return command.Verdict;
    }

    private async ValueTask<TaskState> AdmitAsync(TaskSubmission submission)
    {
        if (SubmissionRules.Check(submission, options.Value.MaxPayloadBytes) is { } problem)
            throw new InvalidSubmissionException(problem);
        var now = Now;
        var attempts = submission.MaxAttempts ?? SubmissionRules.DefaultMaxAttempts;
        var due = submission.ScheduledAt is { } at && Micros.Cut(at) > now ? Micros.Cut(at) : now;
        var task = new TaskState
        {
            CorrelationId = submission.Id,
            Queue = submission.Queue,
            Level = submission.Level,
            Priority = submission.Priority,
            Push = await queues.DeliveryOfAsync(submission.Queue) == Delivery.Push,
            Name = submission.Name,
            Payload = submission.Payload,
            Headers = submission.Headers,
            AttemptsLeft = attempts,
            MaxAttempts = attempts,
            CreatedAt = now,
            DueAt = due,
            ExpiresAt = submission.ExpiresAt is { } end ? Micros.Cut(end) : null,
        };
        task.DispatchAt = TaskStateMachine.FirstDispatch(task, atOnce: !window.IsFull);
        return task;
    }

    /// <summary>PostgreSQL stores no NUL in text; a worker's words are kept without it.</summary>
    private static string? Clean(string? text) => text?.Replace("\0", "", StringComparison.Ordinal);
}
