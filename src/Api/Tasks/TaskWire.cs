using TaskQueue.Api.Rpc;
using TaskQueue.Contracts;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Errors;
using Wire = TaskQueue.Rpc.V1;

namespace TaskQueue.Api.Tasks;

/// <summary>Maps the messages of gRPC to submissions, and details of tasks to messages.</summary>
internal static class TaskWire
{
    /// <param name="task">The task.</param>
    /// <param name="newId">Id if it has none.</param>
    /// <param name="now">Creation time written into the message.</param>
    /// <param name="access">Access of the submitter.</param>
    /// <exception cref="ApiException">400 or 403.</exception>
    public static TaskSubmission ToSubmission(Wire.NewTask? task, Guid newId, DateTimeOffset now, Access access)
    {
        if (task is null || task.Name.Length == 0)
            throw TaskRequest.Wrong("a task needs a name");
        if (task.Name.Length > TaskRequest.MaxName || !TextRules.IsClean(task.Name))
            throw TaskRequest.Wrong($"name must have at most {TaskRequest.MaxName} characters; {TextRules.Rule}");
        var id = task.HasId ? TaskRequest.ChosenId(task.Id) : newId;
        var target = task.HasQueue ? TaskRequest.Target(task.Queue) : new QueueTier(BuiltInQueues.Tasks, 0);
        var data = task.HasData ? RpcValues.Json(task.Data, "data") : null;
        return TaskRequest.Begin(id, target, access, task.Name,
            TaskMessage.Of(id, target.Queue, TaskMessage.ActionOf(task.Name), data, now)) with
        {
            Priority = task.Priority == Wire.Priority.Unspecified ? null
                : TaskMapping.PriorityOf(RpcValues.Word(task.Priority)) ?? throw TaskRequest.Wrong(TaskMapping.PriorityRule),
            ScheduledAt = RpcValues.Time(task.ScheduledAt, "scheduled_at"),
            ExpiresAt = RpcValues.Time(task.ExpiresAt, "expires_at"),
            MaxAttempts = task.HasMaxAttempts ? task.MaxAttempts : null,
            DedupeKey = task.HasDedupeKey ? task.DedupeKey : null,
            Overwrite = task.Overwrite.Aggregate(OverwriteFields.None, static (all, field) => all | ToField(field)),
            OrderingKey = task.HasOrderingKey ? task.OrderingKey : null,
            LeaseSeconds = task.HasLeaseSeconds ? task.LeaseSeconds : null,
            CompletionActions = task.HasCallbackUrl ? new CompletionActions { CallbackUrl = task.CallbackUrl } : null,
            Tags = task.Tags.Count > 0 ? [.. task.Tags] : null,
            Retry = RetryBodies.ToPolicy(ToBody(task.Retry)),
        };
    }

    public static Wire.EnqueueAnswer ToAnswer(Guid id, string word) =>
        new() { Id = id.ToString(), Result = RpcValues.Value<Wire.EnqueueResult>(word) };

    public static Wire.TaskDetails ToDetails(TaskDetails task)
    {
        var details = new Wire.TaskDetails
        {
            Id = task.Id.ToString(),
            Queue = task.Queue,
            Tier = task.Tier,
            Priority = RpcValues.Value<Wire.Priority>(task.Priority),
            Status = RpcValues.Value<Wire.TaskStatus>(task.Status),
            Attempt = task.Attempt,
            MaxAttempts = task.MaxAttempts,
            DeadLetter = task.DeadLetter,
            Payload = RpcValues.Json(task.Payload.Text),
            CreatedAt = RpcValues.Time(task.CreatedAt),
            DueAt = RpcValues.Time(task.DueAt),
            ExpiresAt = RpcValues.Time(task.ExpiresAt),
            StartedAt = RpcValues.Time(task.StartedAt),
            LeaseUntil = RpcValues.Time(task.LeaseUntil),
            FinishedAt = RpcValues.Time(task.FinishedAt),
        };
        if (task.Name is { } name)
            details.Name = name;
        if (task.DedupeKey is { } dedupeKey)
            details.DedupeKey = dedupeKey;
        if (task.OrderingKey is { } orderingKey)
            details.OrderingKey = orderingKey;
        if (task.Result is { } result)
            details.Result = RpcValues.Json(result.Text);
        if (task.Error is { } error)
            details.Error = error;
        if (task.Progress is { } progress)
            details.Progress = RpcValues.Json(progress.Text);
        if (task.Worker is { } worker)
            details.Worker = worker;
        if (task.Owner is { } owner)
            details.Owner = owner;
        details.Tags.AddRange(task.Tags);
        details.Timeline.AddRange(task.Timeline.Select(ToStep));
        return details;
    }

    private static Wire.TaskStep ToStep(TaskStepDetails step)
    {
        var shown = new Wire.TaskStep
        {
            Event = step.Event,
            Attempt = step.Attempt,
            At = RpcValues.Time(step.At),
            DueAt = RpcValues.Time(step.DueAt),
        };
        if (step.Worker is { } worker)
            shown.Worker = worker;
        if (step.Error is { } error)
            shown.Error = error;
        return shown;
    }

    private static OverwriteFields ToField(Wire.OverwriteField field) =>
        field switch
        {
            Wire.OverwriteField.Payload => OverwriteFields.Payload,
            Wire.OverwriteField.ScheduledAt => OverwriteFields.ScheduledAt,
            Wire.OverwriteField.ExpiresAt => OverwriteFields.ExpiresAt,
            _ => throw TaskRequest.Wrong(TaskRequest.OverwriteRule),
        };

    private static RetryBody? ToBody(Wire.Retry? retry) =>
        retry is null ? null : new(retry.Intervals is { } intervals ? [.. intervals.Seconds] : null, retry.HasFirst ? retry.First : null,
            retry.HasFactor ? retry.Factor : null, retry.HasCap ? retry.Cap : null, retry.HasJitter ? retry.Jitter : null);
}
