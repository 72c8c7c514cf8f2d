using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Contracts;

namespace TaskQueue.Client;

/// <summary>The JSON of a row: a <see cref="NewTask"/>. Rows outlive versions of the program: a member never changes its meaning.</summary>
internal sealed class OutboxSubmission
{
    public Guid Id { get; set; }

    public string Queue { get; set; } = "";

    public string Name { get; set; } = "";

    /// <summary>Byte for byte as given; null if there is none.</summary>
    [JsonConverter(typeof(RawText))]
    public string? Data { get; set; }

    public int Tier { get; set; }

    public Priority? Priority { get; set; }

    public DateTimeOffset? ScheduledAt { get; set; }

    public DateTimeOffset? ExpiresAt { get; set; }

    public int? MaxAttempts { get; set; }

    public string? DedupeKey { get; set; }

    public OverwriteFields Overwrite { get; set; }

    public string? OrderingKey { get; set; }

    public TimeSpan? Lease { get; set; }

    public RetryPolicy? Retry { get; set; }

    public IReadOnlyList<string>? Tags { get; set; }

    public Uri? CallbackUrl { get; set; }

    /// <exception cref="JsonException">The data is not JSON.</exception>
    public static string Write(NewTask task)
    {
        using var check = task.Data is { } text ? JsonDocument.Parse(text) : null;
        return Encoding.UTF8.GetString(JsonSerializer.SerializeToUtf8Bytes(new OutboxSubmission
        {
            Id = task.Id,
            Queue = task.Queue,
            Name = task.Name,
            Data = task.Data,
            Tier = task.Tier,
            Priority = task.Priority,
            ScheduledAt = task.ScheduledAt,
            ExpiresAt = task.ExpiresAt,
            MaxAttempts = task.MaxAttempts,
            DedupeKey = task.DedupeKey,
            Overwrite = task.Overwrite,
            OrderingKey = task.OrderingKey,
            Lease = task.Lease,
            Retry = task.Retry,
            Tags = task.Tags is { Count: > 0 } tags ? tags : null,
            CallbackUrl = task.CallbackUrl,
        }, OutboxJson.Instance.OutboxSubmission));
    }

    /// <exception cref="JsonException">It is not what <see cref="Write"/> wrote.</exception>
    public static NewTask Read(string json)
    {
        var read = JsonSerializer.Deserialize(json, OutboxJson.Instance.OutboxSubmission) ?? throw new JsonException("null");
        return new NewTask(read.Queue, read.Name)
        {
            Id = read.Id,
            Data = read.Data,
            Tier = read.Tier,
            Priority = read.Priority,
            ScheduledAt = read.ScheduledAt,
            ExpiresAt = read.ExpiresAt,
            MaxAttempts = read.MaxAttempts,
            DedupeKey = read.DedupeKey,
            Overwrite = read.Overwrite,
            OrderingKey = read.OrderingKey,
            Lease = read.Lease,
            Retry = read.Retry,
            Tags = read.Tags ?? [],
            CallbackUrl = read.CallbackUrl,
        };
    }
}

/// <summary>JSON text as JSON, instead of as a string.</summary>
internal sealed class RawText : JsonConverter<string>
{
    /// <summary>Tells <c>null</c> from nothing.</summary>
    public override bool HandleNull => true;

    public override string Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        using var value = JsonDocument.ParseValue(ref reader);
        return value.RootElement.GetRawText();
    }

    public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options) =>
        writer.WriteRawValue(value, skipInputValidation: true);
}

[JsonSerializable(typeof(OutboxSubmission))]
internal sealed partial class OutboxJson : JsonSerializerContext
{
    /// <summary>The data may be as deep as a document may; the row is one level deeper.</summary>
    private const int MaxDepth = 128;

    public static OutboxJson Instance { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        MaxDepth = MaxDepth,
        Converters = { new JsonStringEnumConverter<Priority>(), new JsonStringEnumConverter<OverwriteFields>() },
    });
}
