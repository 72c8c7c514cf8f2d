using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using TaskQueue.Contracts;
using Wire = TaskQueue.Rpc.V1;

namespace TaskQueue.Client;

/// <summary>Maps tasks to messages of gRPC.</summary>
internal static class TaskWire
{
    public static Wire.NewTask ToMessage(NewTask task)
    {
        var message = new Wire.NewTask
        {
            Id = task.Id.ToString(),
            Name = task.Name,
            Queue = task.Tier == 0 ? task.Queue : $"{task.Queue}:{task.Tier}",
            Priority = task.Priority switch
            {
                Priority.Low => Wire.Priority.Low,
                Priority.Normal => Wire.Priority.Normal,
                Priority.High => Wire.Priority.High,
                Priority.Critical => Wire.Priority.Critical,
                _ => Wire.Priority.Unspecified,
            },
            ScheduledAt = task.ScheduledAt is { } scheduled ? Timestamp.FromDateTimeOffset(scheduled) : null,
            ExpiresAt = task.ExpiresAt is { } expires ? Timestamp.FromDateTimeOffset(expires) : null,
            Retry = task.Retry is { } retry ? ToMessage(retry) : null,
        };
        if (task.Data is { } data)
            message.Data = ByteString.CopyFromUtf8(data);
        if (task.MaxAttempts is { } attempts)
            message.MaxAttempts = attempts;
        if (task.DedupeKey is { } dedupeKey)
            message.DedupeKey = dedupeKey;
        if (task.OrderingKey is { } orderingKey)
            message.OrderingKey = orderingKey;
        if (task.Lease is { } lease)
            message.LeaseSeconds = lease.TotalSeconds;
        if (task.CallbackUrl is { } callback)
            message.CallbackUrl = callback.AbsoluteUri;
        message.Tags.AddRange(task.Tags);
        if (task.Overwrite.HasFlag(OverwriteFields.Payload))
            message.Overwrite.Add(Wire.OverwriteField.Payload);
        if (task.Overwrite.HasFlag(OverwriteFields.ScheduledAt))
            message.Overwrite.Add(Wire.OverwriteField.ScheduledAt);
        if (task.Overwrite.HasFlag(OverwriteFields.ExpiresAt))
            message.Overwrite.Add(Wire.OverwriteField.ExpiresAt);
        return message;
    }

    public static EnqueuedTask ToAnswer(NewTask task, Wire.EnqueueAnswer answer, int tries) =>
        TaskQueueClient.Answer(task, Guid.Parse(answer.Id), answer.Result switch
        {
            Wire.EnqueueResult.Updated => "updated",
            Wire.EnqueueResult.Duplicate => "duplicate",
            _ => "queued",
        }, tries);

    private static Wire.Retry ToMessage(RetryPolicy retry)
    {
        if (retry.Intervals is not { } intervals)
            return new Wire.Retry { First = retry.FirstSeconds, Factor = retry.Factor, Cap = retry.CapSeconds, Jitter = retry.Jitter };
        var message = new Wire.Retry { Intervals = new Wire.Intervals() };
        message.Intervals.Seconds.AddRange(intervals);
        return message;
    }
}
