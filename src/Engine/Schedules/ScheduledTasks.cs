using System.Buffers.Binary;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Schedules;

/// <summary>Builds the tasks of schedules.</summary>
public static class ScheduledTasks
{
    /// <summary>The submission of a tick's task.</summary>
    public static TaskSubmission Of(string queue, ScheduleSettings settings, Guid id, DateTime tick, int? scheduleId = null) =>
        new(id, queue, PayloadOf(queue, settings, id, tick))
        {
            Tier = settings.Tier,
            Owner = settings.Owner,
            Name = settings.TaskName,
            Priority = settings.Priority,
            ScheduledAt = tick,
            ExpiresAt = settings.ExpireAfterMs is { } ms ? tick.AddMilliseconds(ms) : null,
            MaxAttempts = settings.MaxAttempts,
            Headers = settings.Headers,
            DedupeKey = settings.DedupeKey,
            OrderingKey = settings.OrderingKey,
            LeaseSeconds = settings.LeaseMs / 1000.0,
            Retry = settings.Retry,
            Tags = settings.Tags,
            ScheduleId = scheduleId,
        };

    private static string PayloadOf(string queue, ScheduleSettings settings, Guid id, DateTime tick) =>
        settings.HasMessages
            ? TaskMessage.Of(id, queue, TaskMessage.ActionOf(settings.TaskName), settings.Payload,
                new DateTimeOffset(DateTime.SpecifyKind(tick, DateTimeKind.Utc)))
            : settings.Payload;

    /// <summary>Deterministic id of a tick's task, whichever process fires it: 48 bits of Unix milliseconds, then the schedule.</summary>
    public static Guid IdOf(int scheduleId, DateTime tick)
    {
        Span<byte> bytes = stackalloc byte[16];
        var milliseconds = new DateTimeOffset(tick).ToUnixTimeMilliseconds();
        BinaryPrimitives.WriteUInt64BigEndian(bytes, ((ulong)milliseconds << 16) | 0x4000);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], (2UL << 62) | (uint)scheduleId);
        return new Guid(bytes, bigEndian: true);
    }
}
