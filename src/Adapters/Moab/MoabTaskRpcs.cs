using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Draining;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Quotas;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Workers;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;

namespace TaskQueue.Adapters.Moab;

/// <summary>RPCs on tasks, except reports and bulk changes: see <see cref="MoabReports"/>.</summary>
internal sealed class MoabTaskRpcs(QueueCatalog queues, TaskService taskService, TaskClaimer claims, ITaskQueries queries, MoabTaskIds ids,
    MoabTaskPages pages, StreamQuota streams, Drain drain, Redaction redaction, TimeProvider time, IOptions<MoabOptions> options)
{
    private const int MaxBatch = 10;

    public async Task<MoabTasksAnswer> EnqueueAsync(HttpContext context, MoabEnqueueBody body)
    {
        var queue = MoabFields.Name(body.QueueName, "queue_name");
        var now = Micros.Now(time);
        var submissions = MoabFields.Entries(body.Entries, options.Value.MaxEnqueueEntries)
            .Select((entry, index) => MoabTaskMapping.ToSubmission(queue, entry, index, now) with { Owner = context.Access().Tenant })
                .ToList();
        await MoabEndpoints.FindQueueAsync(context, queues, queue);
        var stands = await SubmitUnderNewIdsAsync(submissions);
        foreach (var existing in stands.Where(s => s.Result != SubmitStatus.Accepted).Select(s => s.Task!))
            await FillAsync(existing, context);
        return Answer(stands.Select(s => s.Task!));
    }

    /// <summary>Adds what the submission has not read of a task that was there.</summary>
    private async Task FillAsync(TaskState task, HttpContext context)
    {
        try
        {
            if (await queries.FindAsync(task.CorrelationId, context.Access(), context.Memory().ReserveAnswerAsync, context.RequestAborted)
                is not { } whole)
                return;
            (task.Error, task.Progress) = (whole.Error, whole.Progress);
            if (task.Payload.Length == 0)
                task.Payload = whole.Payload;
        }
        catch (UnreadableDataException)
        {
            // The submission has succeeded even if the existing task cannot be decrypted.
        }
    }

    /// <summary>
    /// Submits under unused ids; if another process generated the same id, the entry is resubmitted under a later one. A task named by
    /// two entries is returned once, in its later state.
    /// </summary>
    private async Task<List<SubmitResult>> SubmitUnderNewIdsAsync(List<TaskSubmission> submissions)
    {
        var stands = new SubmitResult?[submissions.Count];
        List<int> open = [.. Enumerable.Range(0, submissions.Count)];
        while (open.Count > 0)
        {
            IReadOnlyList<SubmitResult> admissions;
            try
            {
                admissions = await SubmitAsync([.. open.Select(index => submissions[index] with { Id = ids.New() })]);
            }
            catch (TaskIdConflictException)
            {
                ids.DrawInstance(); // another process generated one of them for another tenant
                continue;
            }

            foreach (var (index, submitResult) in open.Zip(admissions))
                stands[index] = submitResult is { Result: not SubmitStatus.Skipped, Task: not null } ? submitResult : null;
            open = [.. open.Where((_, position) => admissions[position].Result == SubmitStatus.IdTaken)];
            if (open.Count > 0)
                ids.DrawInstance();
        }

        return [.. stands.OfType<SubmitResult>().GroupBy(s => s.Task!.CorrelationId).Select(same => same.Last())];
    }

    private async Task<IReadOnlyList<SubmitResult>> SubmitAsync(IReadOnlyList<TaskSubmission> submissions)
    {
        try
        {
            return await taskService.SubmitManyAsync(submissions);
        }
        catch (InvalidSubmissionException fault)
        {
            throw MoabFields.Wrong($"entries[{fault.Index}]: {fault.Message}");
        }
    }

    /// <param name="context">The request.</param>
    /// <param name="body">What is asked for.</param>
    /// <param name="wait">How long to wait if nothing is due.</param>
    /// <param name="maxBytes">Maximum bytes of several tasks.</param>
    public async Task<MoabTasksAnswer> DequeueAsync(
        HttpContext context, MoabDequeueBody body, TimeSpan wait = default, long maxBytes = int.MaxValue)
    {
        var name = MoabFields.Name(body.QueueName, "queue_name");
        var size = body.BatchSize switch
        {
            null or 0 => 1,
            > 0 and <= MaxBatch => (int)body.BatchSize,
            _ => throw MoabFields.Wrong($"batch_size must be 1 to {MaxBatch}, or 0 for 1"),
        };
        var lease = MoabFields.KeepaliveOverride(body.KeepaliveTimeoutInSeconds, "keepalive_timeout_in_seconds");
        if ((await MoabEndpoints.FindQueueAsync(context, queues, name)).Delivery == Delivery.Push)
            throw MoabFields.Wrong($"queue {name} is dispatched to bus workers and cannot be dequeued from");
        var request = new ClaimRequest([new QueueTier(name, 0)], size, "moab",
            MoabFields.Milliseconds(lease))
        {
            Credential = context.Access().Credential,
            Contact = new WorkerContact("moab", context.Access().Tenant),
            MaxBytes = maxBytes,
        };
        using var counted = wait > TimeSpan.Zero ? streams.Open(context.Access().Tenant) : null;
        var tasks = await ClaimAsync(request, wait, context);
        // A client that has left in the meantime never receives them.
        if (tasks.Count > 0 && context.RequestAborted.IsCancellationRequested)
            await taskService.ApplyAsync(
                [.. tasks.Select(t => taskService.Snooze(t.CorrelationId, t.Attempt, t.Worker, TimeSpan.Zero))], context.Access());
        return Answer(tasks);
    }

    /// <summary>Claims tasks. Shutdown ends a wait with an empty response.</summary>
    private async Task<IReadOnlyList<TaskState>> ClaimAsync(ClaimRequest request, TimeSpan wait, HttpContext context)
    {
        var aborted = context.RequestAborted;
        if (wait <= TimeSpan.Zero)
            return await claims.ClaimAsync(request, TimeSpan.Zero, aborted, keep: context.Memory().Keep);
        context.Memory().ReleaseBody();
        using var leave = drain.EndWait(aborted);
        try
        {
            return await claims.ClaimAsync(request, drain.Shorten(wait), leave.Token, keep: context.Memory().Keep);
        }
        catch (OperationCanceledException) when (!aborted.IsCancellationRequested)
        {
            return [];
        }
    }

    public async Task<MoabTaskAnswer> GetAsync(HttpContext context, MoabTaskBody body)
    {
        var queue = MoabFields.Name(body.QueueName, "queue_name");
        var id = MoabFields.TaskId(body.TaskId, "task_id");
        await MoabEndpoints.FindQueueAsync(context, queues, queue);
        var task = await queries.FindAsync(id, context.Access(), context.Memory().ReserveAnswerAsync, context.RequestAborted);
        var now = Micros.Now(time);
        return task is not null && MoabTaskMapping.IsVisible(task, queue, now)
            ? new MoabTaskAnswer(MoabTaskMapping.ToTask(task, redaction.For(context.Caller())), MoabFields.Nanoseconds(now))
            : throw new ApiException(
                404, "NOT_FOUND", $"there is no task {body.TaskId} in queue {queue}",
                new Dictionary<string, string> { ["queue_name"] = queue, ["task_id"] = body.TaskId! });
    }

    /// <param name="context">The request.</param>
    /// <param name="body">Which tasks.</param>
    /// <param name="maxBytes">Size from which a page has fewer tasks than its limit.</param>
    public async Task<MoabTaskPageAnswer> ListAsync(HttpContext context, MoabListTasksBody body, long maxBytes = long.MaxValue)
    {
        var queue = MoabFields.Name(body.QueueName, "queue_name");
        var (list, limit) = (MoabWords.List(body.State), MoabPages.Limit(body.Limit));
        var place = MoabPlace.Parse(body.PaginationToken, list);
        await MoabEndpoints.FindQueueAsync(context, queues, queue);
        var page = await pages.ReadAsync(queue, list, place, limit, context.Access(),
            context.Memory().ReserveAnswerAsync, context.RequestAborted, maxBytes);
        var now = Micros.Now(time);
        var redactor = redaction.For(context.Caller());
        var tasks = page.Items.Where(task => MoabTaskMapping.IsVisible(task, queue, now))
            .Select(task => MoabTaskMapping.ToTask(task, redactor));
        return new MoabTaskPageAnswer([.. tasks], page.Next, page.Previous, MoabFields.Nanoseconds(now));
    }

    private MoabTasksAnswer Answer(IEnumerable<TaskState> tasks) =>
        new([.. tasks.Select(task => MoabTaskMapping.ToTask(task))], MoabFields.Nanoseconds(Micros.Now(time)));
}
