using System.Buffers;
using System.Globalization;
using System.Text.Json;
using TaskQueue.Contracts;

namespace TaskQueue.Client;

/// <summary>Writes the request bodies of PUT /queues/{name} and PUT /queues/{queue}/schedules/{name}.</summary>
internal static class SettingsBody
{
    public static ReadOnlyMemory<byte> Of(QueueDeclaration queue) => Write(writer =>
    {
        if (queue.Push is { } push)
            writer.WriteString("delivery"u8, push ? "push" : "pull");
        WriteCommon(writer, queue.Description, queue.Lease, queue.ExpireAfter, queue.MaxAttempts, queue.Retry, queue.Paused);
        Write(writer, "max_crashes", queue.MaxCrashes);
        Write(writer, "max_running", queue.MaxRunning);
        if (queue.Rate is { } tokens)
        {
            writer.WriteStartObject("rate"u8);
            writer.WriteNumber("tokens"u8, tokens);
            writer.WriteNumber("interval_seconds"u8, queue.RateInterval.TotalSeconds);
            writer.WriteEndObject();
        }

        writer.WriteStartObject("dead_letters"u8);
        writer.WriteBoolean("enabled"u8, queue.DeadLetters);
        Write(writer, "max_size", queue.MaxDeadLetters);
        Write(writer, "retention_seconds", queue.DeadLetterRetention);
        writer.WriteEndObject();
        Write(writer, "keep_finished_seconds", queue.KeepFinished);
        Write(writer, "events", queue.Events);
        if (queue.Tiers.Count > 0)
            WriteTiers(writer, queue.Tiers);
        if (queue.SubmitterToken)
            writer.WriteBoolean("submitter_token"u8, true);
        Write(writer, "expected_version", queue.ExpectedVersion);
    });

    public static ReadOnlyMemory<byte> Of(NewSchedule schedule) => Write(writer =>
    {
        writer.WriteString("cron"u8, schedule.Cron);
        writer.WriteString("time_zone"u8, schedule.TimeZone);
        writer.WriteString("action"u8, schedule.TaskName);
        if (schedule.Data is { } data)
        {
            writer.WritePropertyName("data"u8);
            writer.WriteRawValue(data);
        }

        WriteCommon(writer, schedule.Description, schedule.Lease, schedule.ExpireAfter, schedule.MaxAttempts, schedule.Retry,
            schedule.Paused);
        writer.WriteNumber("tier"u8, schedule.Tier);
        Write(writer, "priority", schedule.Priority?.ToString().ToLowerInvariant());
        Write(writer, "dedupe_key", schedule.DedupeKey);
        Write(writer, "ordering_key", schedule.OrderingKey);
        if (schedule.Tags.Count > 0)
        {
            writer.WriteStartArray("tags"u8);
            foreach (var tag in schedule.Tags)
                writer.WriteStringValue(tag);
            writer.WriteEndArray();
        }
    });

    private static ReadOnlyMemory<byte> Write(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using var writer = new Utf8JsonWriter(buffer, TaskBody.Relaxed);
        writer.WriteStartObject();
        write(writer);
        writer.WriteEndObject();
        writer.Flush();
        return buffer.WrittenMemory;
    }

    private static void WriteTiers(Utf8JsonWriter writer, IReadOnlyDictionary<int, TierSettings> tiers)
    {
        writer.WriteStartObject("tiers"u8);
        foreach (var (number, tier) in tiers)
        {
            writer.WriteStartObject(number.ToString(CultureInfo.InvariantCulture));
            Write(writer, "lease_seconds", tier.Lease);
            Write(writer, "expire_after_seconds", tier.ExpireAfter);
            Write(writer, "max_attempts", tier.MaxAttempts);
            if (tier.Retry is { } retry)
                TaskBody.WriteRetry(writer, retry);
            Write(writer, "priority", tier.Priority?.ToString().ToLowerInvariant());
            writer.WriteEndObject();
        }

        writer.WriteEndObject();
    }

    private static void WriteCommon(Utf8JsonWriter writer, string? description, TimeSpan? lease, TimeSpan? expireAfter, int? maxAttempts,
        RetryPolicy? retry, bool? paused)
    {
        Write(writer, "description", description);
        Write(writer, "lease_seconds", lease);
        Write(writer, "expire_after_seconds", expireAfter);
        Write(writer, "max_attempts", maxAttempts);
        if (retry is not null)
            TaskBody.WriteRetry(writer, retry);
        if (paused is { } isPaused)
            writer.WriteBoolean("paused"u8, isPaused);
    }

    private static void Write(Utf8JsonWriter writer, string name, string? text)
    {
        if (text is not null)
            writer.WriteString(name, text);
    }

    private static void Write(Utf8JsonWriter writer, string name, int? number)
    {
        if (number is { } whole)
            writer.WriteNumber(name, whole);
    }

    private static void Write(Utf8JsonWriter writer, string name, TimeSpan? time)
    {
        if (time is { } span)
            writer.WriteNumber(name, span.TotalSeconds);
    }
}
