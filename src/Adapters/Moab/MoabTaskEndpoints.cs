using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Workers;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;

namespace TaskQueue.Adapters.Moab;

/// <summary>RPCs on tasks, except reports and bulk changes: see <see cref="MoabReports"/>.</summary>
internal static class MoabTaskEndpoints
{
    private const int MaxBatch = 10;

    public static void MapTasks(this MoabRoutes routes)
    {
        routes.Add<MoabEnqueueBody, MoabTasksAnswer>(
            "Enqueue", Scope.Enqueue, EnqueueAsync,
            "Enqueue a batch of tasks; returns those that are new or changed.", 404, 429);
        routes.Add<MoabDequeueBody, MoabTasksAnswer>(
            "Dequeue", Scope.Work, DequeueAsync, "Take due tasks without waiting; the response may be empty.", 404);
        routes.Add<MoabReportBody, MoabReportAnswer>(
            "ReportStatus", Scope.Work, MoabReports.ReportAsync,
            "Report outcomes or heartbeats of deliveries.", 404);
        routes.Add<MoabTaskBody, MoabTaskAnswer>("GetTask", Scope.Read, GetAsync, "Get a task.", 404);
        routes.Add<MoabListTasksBody, MoabTaskPageAnswer>("ListTasks", Scope.Read, ListAsync, "List the tasks of a queue, in pages.", 404);
        routes.Add<MoabDeleteTasksBody, MoabNothing>(
            "DeleteTasks", Scope.Enqueue, MoabReports.DeleteAsync, "Delete tasks in any state.", 404);
        routes.Add<MoabRestartTasksBody, MoabRestartAnswer>(
            "RestartTasks", Scope.Enqueue, MoabReports.RestartAsync, "Run dead tasks again.", 404);
    }

    private static async Task<IResult> EnqueueAsync(
        HttpContext context, QueueCatalog queues, TaskService taskService, ITaskQueries queries, MoabTaskIds ids, TimeProvider time,
        IOptions<MoabOptions> options)
    {
        var body = await MoabBody.ReadAsync(context, MoabJson.Instance.MoabEnqueueBody);
        var queue = MoabFields.Name(body.QueueName, "queue_name");
        var now = Micros.Now(time);
        var submissions = MoabFields.Entries(body.Entries, options.Value.MaxEnqueueEntries)
            .Select((entry, index) => MoabTaskMapping.ToSubmission(queue, entry, index, now) with { Owner = context.Access().Tenant })
                .ToList();
        await MoabEndpoints.FindQueueAsync(context, queues, queue);
        var stands = await SubmitAsync(taskService, ids, submissions);
        foreach (var existing in stands.Where(s => s.Result != SubmitStatus.Accepted).Select(s => s.Task!))
            await FillAsync(existing, context, queries);
        return Answer(stands.Select(s => s.Task!), time);
    }

    /// <summary>Adds what the submission has not read of a task that was there.</summary>
    private static async Task FillAsync(TaskState task, HttpContext context, ITaskQueries queries)
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
    private static async Task<List<SubmitResult>> SubmitAsync(TaskService taskService, MoabTaskIds ids, List<TaskSubmission> submissions)
    {
        var stands = new SubmitResult?[submissions.Count];
        List<int> open = [.. Enumerable.Range(0, submissions.Count)];
        while (open.Count > 0)
        {
            IReadOnlyList<SubmitResult> admissions;
            try
            {
                admissions = await SubmitAsync(taskService, [.. open.Select(index => submissions[index] with { Id = ids.New() })]);
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

    private static async Task<IReadOnlyList<SubmitResult>> SubmitAsync(TaskService taskService, IReadOnlyList<TaskSubmission> submissions)
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

    private static async Task<IResult> DequeueAsync(HttpContext context, QueueCatalog queues, TaskClaimer claims, TimeProvider time)
    {
        var body = await MoabBody.ReadAsync(context, MoabJson.Instance.MoabDequeueBody);
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
        };
        return Answer(await claims.ClaimAsync(request, TimeSpan.Zero, context.RequestAborted, keep: context.Memory().Keep), time);
    }

    private static async Task<IResult> GetAsync(HttpContext context, QueueCatalog queues, ITaskQueries queries, Redaction redaction,
        TimeProvider time)
    {
        var body = await MoabBody.ReadAsync(context, MoabJson.Instance.MoabTaskBody);
        var queue = MoabFields.Name(body.QueueName, "queue_name");
        var id = MoabFields.TaskId(body.TaskId, "task_id");
        await MoabEndpoints.FindQueueAsync(context, queues, queue);
        var task = await queries.FindAsync(id, context.Access(), context.Memory().ReserveAnswerAsync, context.RequestAborted);
        var now = Micros.Now(time);
        return task is not null && MoabTaskMapping.IsVisible(task, queue, now)
            ? Results.Json(new MoabTaskAnswer(MoabTaskMapping.ToTask(task, redaction.For(context.Caller())), MoabFields.Nanoseconds(now)),
                MoabJson.Instance.MoabTaskAnswer)
            : throw new ApiException(
                404, "NOT_FOUND", $"there is no task {body.TaskId} in queue {queue}",
                new Dictionary<string, string> { ["queue_name"] = queue, ["task_id"] = body.TaskId! });
    }

    private static async Task<IResult> ListAsync(HttpContext context, QueueCatalog queues, MoabTaskPages pages, Redaction redaction,
        TimeProvider time)
    {
        var body = await MoabBody.ReadAsync(context, MoabJson.Instance.MoabListTasksBody);
        var queue = MoabFields.Name(body.QueueName, "queue_name");
        var (list, limit) = (MoabWords.List(body.State), MoabPages.Limit(body.Limit));
        var place = MoabPlace.Parse(body.PaginationToken, list);
        await MoabEndpoints.FindQueueAsync(context, queues, queue);
        var page = await pages.ReadAsync(queue, list, place, limit, context.Access(),
            context.Memory().ReserveAnswerAsync, context.RequestAborted);
        var now = Micros.Now(time);
        var redactor = redaction.For(context.Caller());
        var tasks = page.Items.Where(task => MoabTaskMapping.IsVisible(task, queue, now))
            .Select(task => MoabTaskMapping.ToTask(task, redactor));
        return Results.Json(new MoabTaskPageAnswer([.. tasks], page.Next, page.Previous, MoabFields.Nanoseconds(now)),
            MoabJson.Instance.MoabTaskPageAnswer);
    }

    private static IResult Answer(IEnumerable<TaskState> tasks, TimeProvider time) =>
        Results.Json(new MoabTasksAnswer([.. tasks.Select(task => MoabTaskMapping.ToTask(task))],
            MoabFields.Nanoseconds(Micros.Now(time))), MoabJson.Instance.MoabTasksAnswer);
}
