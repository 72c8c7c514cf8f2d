using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using TaskQueue.Contracts;

namespace TaskQueue.Client;

/// <summary>Writes the request bodies of POST /tasks and /tasks/bulk.</summary>
internal static class TaskBody
{
    internal static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static ReadOnlyMemory<byte> One(NewTask task) => Write(writer => Write(writer, task));

    public static ReadOnlyMemory<byte> Many(IReadOnlyList<NewTask> tasks) => Write(writer =>
    {
        writer.WriteStartObject();
        writer.WriteStartArray("tasks"u8);
        foreach (var task in tasks)
            Write(writer, task);
        writer.WriteEndArray();
        writer.WriteEndObject();
    });

    private static ReadOnlyMemory<byte> Write(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using var writer = new Utf8JsonWriter(buffer, Relaxed);
        write(writer);
        writer.Flush();
        return buffer.WrittenMemory;
    }

    private static void Write(Utf8JsonWriter writer, NewTask task)
    {
        writer.WriteStartObject();
        writer.WriteString("id"u8, task.Id);
        writer.WriteString("action"u8, task.Name);
        writer.WriteString("queue"u8, task.Tier == 0 ? task.Queue : $"{task.Queue}:{task.Tier}");
        if (task.Data is { } data)
        {
            writer.WritePropertyName("data"u8);
            writer.WriteRawValue(data);
        }

        WriteOptions(writer, task);
        writer.WriteEndObject();
    }

    private static void WriteOptions(Utf8JsonWriter writer, NewTask task)
    {
        Write(writer, "priority", task.Priority?.ToString().ToLowerInvariant());
        Write(writer, "scheduled_at", task.ScheduledAt);
        Write(writer, "expires_at", task.ExpiresAt);
        if (task.MaxAttempts is { } attempts)
            writer.WriteNumber("max_attempts"u8, attempts);
        Write(writer, "dedupe_key", task.DedupeKey);
        Write(writer, "ordering_key", task.OrderingKey);
        if (task.Lease is { } lease)
            writer.WriteNumber("lease_seconds"u8, lease.TotalSeconds);
        Write(writer, "callback_url", task.CallbackUrl?.AbsoluteUri);
        if (task.Tags.Count > 0)
        {
            writer.WriteStartArray("tags"u8);
            foreach (var tag in task.Tags)
                writer.WriteStringValue(tag);
            writer.WriteEndArray();
        }

        if (task.Overwrite != OverwriteFields.None)
            WriteOverwrite(writer, task.Overwrite);
        if (task.Retry is { } retry)
            WriteRetry(writer, retry);
    }

    private static void WriteOverwrite(Utf8JsonWriter writer, OverwriteFields fields)
    {
        writer.WriteStartArray("overwrite"u8);
        if (fields.HasFlag(OverwriteFields.Payload))
            writer.WriteStringValue("payload"u8);
        if (fields.HasFlag(OverwriteFields.ScheduledAt))
            writer.WriteStringValue("scheduled_at"u8);
        if (fields.HasFlag(OverwriteFields.ExpiresAt))
            writer.WriteStringValue("expires_at"u8);
        writer.WriteEndArray();
    }

    internal static void WriteRetry(Utf8JsonWriter writer, RetryPolicy retry)
    {
        writer.WriteStartObject("retry"u8);
        if (retry.Intervals is { } intervals)
        {
            writer.WriteStartArray("intervals"u8);
            foreach (var seconds in intervals)
                writer.WriteNumberValue(seconds);
            writer.WriteEndArray();
        }
        else
        {
            writer.WriteNumber("first"u8, retry.FirstSeconds);
            writer.WriteNumber("factor"u8, retry.Factor);
            writer.WriteNumber("cap"u8, retry.CapSeconds);
            writer.WriteNumber("jitter"u8, retry.Jitter);
        }

        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, string name, string? text)
    {
        if (text is not null)
            writer.WriteString(name, text);
    }

    private static void Write(Utf8JsonWriter writer, string name, DateTimeOffset? time)
    {
        if (time is { } at)
            writer.WriteString(name, at);
    }
}
