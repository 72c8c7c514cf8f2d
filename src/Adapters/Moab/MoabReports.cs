using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Requests;

namespace TaskQueue.Adapters.Moab;

/// <summary>RPCs that act on tasks by id. Each reads the tasks first, because the engine numbers attempts differently.</summary>
internal sealed class MoabReports(QueueCatalog queues, ITaskQueries queries, TaskService taskService, Redaction redaction,
    TimeProvider time)
{
    /// <param name="context">The request.</param>
    /// <param name="body">What is reported.</param>
    /// <param name="isFenced">Whether each report must name its attempt; else 0 means the running one (moab.md 5).</param>
    public async Task<MoabReportAnswer> ReportAsync(HttpContext context, MoabReportBody body, bool isFenced = true)
    {
        var queue = MoabFields.Name(body.QueueName, "queue_name");
        var reports = MoabFields.Entries(body.Entries, MoabFields.MaxEntries)
            .Select((entry, index) => Read(entry, index, isFenced)).ToList();
        await MoabEndpoints.FindQueueAsync(context, queues, queue);

        var tasks = await FindAsync(queue, reports.Select(r => r.Id), context.Access(), context.RequestAborted);
        var commands = new TaskCommand?[reports.Count];
        for (var i = 0; i < reports.Count; i++)
            commands[i] = Judge(tasks, reports[i]) == MoabWords.Ok ? Command(reports[i], tasks[reports[i].Id].Attempt) : null;
        await taskService.ApplyAsync([.. commands.OfType<TaskCommand>()], context.Access());
        if (commands.Any(c => c is not null && c.CommandResult != CommandResult.Applied))
            tasks = await FindAsync(queue, reports.Select(r => r.Id), context.Access(),
                context.RequestAborted); // another change came first
        var results = reports.Select((report, i) => new MoabReportResult(report.Text, Result(tasks, report, commands[i])));
        return new MoabReportAnswer([.. results]);
    }

    public async Task<MoabNothing> DeleteAsync(HttpContext context, MoabDeleteTasksBody body)
    {
        var queue = MoabFields.Name(body.QueueName, "queue_name");
        var ids = MoabFields.TaskIds(body.TaskIds, "task_ids");
        await MoabEndpoints.FindQueueAsync(context, queues, queue);
        var tasks = await FindAsync(queue, ids, context.Access(), context.RequestAborted);
        await taskService.ApplyAsync([.. tasks.Keys.Select(taskService.Delete)], context.Access());
        return new MoabNothing();
    }

    public async Task<MoabRestartAnswer> RestartAsync(HttpContext context, MoabRestartTasksBody body)
    {
        var queue = MoabFields.Name(body.QueueName, "queue_name");
        var restarts = Read(body, Micros.Now(time));
        await MoabEndpoints.FindQueueAsync(context, queues, queue);

        var tasks = await FindAsync(queue, restarts.Select(r => r.Id), context.Access(), context.RequestAborted);
        var dead = restarts.Where(r => tasks.TryGetValue(r.Id, out var task) && task.State == TaskStates.Failed
            && MoabTaskMapping.IsVisible(task, queue, Micros.Now(time)));
        var retries = (await taskService.ApplyAsync([.. dead.Select(r => taskService.Retry(r.Id, r.ScheduledAt, r.ExpiresAt))],
            context.Access())).ToDictionary(c => c.CorrelationId, c => c.CommandResult);
        tasks = await FindAsync(queue, restarts.Select(r => r.Id), context.Access(), context.RequestAborted,
            context.Memory().ReserveAnswerAsync);
        var (now, redactor) = (Micros.Now(time), redaction.For(context.Caller()));
        return new MoabRestartAnswer([.. restarts.Select(r => Result(r, tasks, retries, queue, redactor, now))],
            MoabFields.Nanoseconds(now));
    }

    private static Report Read(MoabReportEntry entry, int index, bool isFenced)
    {
        var at = $"entries[{index}]";
        return new Report(
            MoabFields.TaskId(entry.TaskId, $"{at}.task_id"), entry.TaskId!,
            entry.Attempt is > 0 ? entry.Attempt
                : !isFenced && entry.Attempt is null or 0 ? (long?)null
                : throw MoabFields.Wrong($"{at}.attempt must be the attempts of the task as it was dequeued, from 1"),
            MoabWords.Status(entry.Status, $"{at}.status"),
            MoabFields.Milliseconds(MoabFields.KeepaliveOverride(entry.KeepaliveTimeoutInSeconds, $"{at}.keepalive_timeout_in_seconds")));
    }

    private static List<Restart> Read(MoabRestartTasksBody body, DateTime now)
    {
        if (body.TaskIds is { Count: > 0 } && body.Entries is { Count: > 0 })
            throw MoabFields.Wrong("entries and task_ids cannot both be given");
        if (body.TaskIds is { Count: > 0 } texts)
            return [.. MoabFields.TaskIds(texts, "task_ids").Zip(texts, (id, text) => new Restart(id, text!, null, null))];
        var entries = MoabFields.Entries(body.Entries, MoabFields.MaxEntries);
        var ids = MoabFields.TaskIds([.. entries.Select(e => e.TaskId)], "entries");
        return [.. entries.Select((entry, i) => new Restart(
            ids[i], entry.TaskId!, MoabFields.ScheduledAt(entry.ScheduledAt, now, $"entries[{i}].scheduled_at"),
            MoabFields.Time(entry.ExpiresAt, $"entries[{i}].expires_at")))];
    }

    /// <summary>Reads the tasks that exist for Moab in the queue, reserving memory for their texts.</summary>
    private async Task<Dictionary<Guid, TaskState>> FindAsync(
        string queue, IEnumerable<Guid> ids, Access access, CancellationToken cancellationToken, ReserveAnswer? reserve = null) =>
        (await queries.FindManyAsync([.. ids.Distinct()], access, cancellationToken, texts: reserve is not null, reserve))
            .Where(task => MoabTaskMapping.Exists(task, queue)).ToDictionary(task => task.CorrelationId);

    /// <summary>Checks that a report is for the running attempt.</summary>
    private static string Judge(Dictionary<Guid, TaskState> tasks, Report report)
    {
        if (!tasks.TryGetValue(report.Id, out var task))
            return MoabWords.NotFound;
        if (task.State != TaskStates.Running)
            return MoabWords.NotInProgress;
        return report.Attempt is null || MoabTaskMapping.Attempts(task) == report.Attempt ? MoabWords.Ok : MoabWords.StaleAttempt;
    }

    private static string Result(Dictionary<Guid, TaskState> tasks, Report report, TaskCommand? command)
    {
        if (command?.CommandResult == CommandResult.Applied)
            return MoabWords.Ok;
        var result = Judge(tasks, report);
        return result == MoabWords.Ok ? MoabWords.StaleAttempt : result; // restarted and claimed again in the meantime
    }

    private AttemptCommand Command(Report report, int attempt) =>
        report.Status switch
        {
            MoabStatus.Succeeded => taskService.Complete(report.Id, attempt, worker: null, result: null),
            MoabStatus.Failed => taskService.Fail(report.Id, attempt, worker: null, "failed", retryable: true),
            _ => taskService.Renew(report.Id, attempt, worker: null, report.LeaseMs),
        };

    private static MoabRestartResult Result(Restart restart, Dictionary<Guid, TaskState> tasks, Dictionary<Guid, CommandResult> retries,
        string queue, Redactor redactor, DateTime now)
    {
        var task = tasks.GetValueOrDefault(restart.Id);
        if (retries.TryGetValue(restart.Id, out var commandResult))
        {
            if (commandResult == CommandResult.KeyTaken)
                return new(restart.Text, MoabWords.DedupeConflict);
            if (commandResult == CommandResult.Applied && task is not null)
                return new(restart.Text, MoabWords.Restarted, MoabTaskMapping.ToTask(task, redactor));
        }

        return new(restart.Text, task is not null && MoabTaskMapping.IsVisible(task, queue, now) ? MoabWords.NotDead : MoabWords.NotFound);
    }

    /// <param name="Id">The task.</param>
    /// <param name="Text">Its id as sent.</param>
    /// <param name="Attempt">The attempt; null: the running one.</param>
    /// <param name="Status">What became of it.</param>
    /// <param name="LeaseMs">Lease that a heartbeat asks for.</param>
    private sealed record Report(Guid Id, string Text, long? Attempt, MoabStatus Status, int? LeaseMs);

    private sealed record Restart(Guid Id, string Text, DateTime? ScheduledAt, DateTime? ExpiresAt);
}
