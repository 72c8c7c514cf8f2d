using System.Text.Json.Serialization;
using TaskQueue.Client.Http;
using TaskQueue.Contracts;

namespace TaskQueue.Client;

/// <summary>Settings of one tier of a queue; what is null is as set for the queue.</summary>
public sealed record TierSettings
{
    /// <summary>Lease of its tasks unless set by claim or task.</summary>
    [JsonPropertyName("lease_seconds")]
    [JsonConverter(typeof(SecondsConverter))]
    public TimeSpan? Lease { get; init; }

    /// <summary>Default and upper limit of a task's expiry, from its scheduled time.</summary>
    [JsonPropertyName("expire_after_seconds")]
    [JsonConverter(typeof(SecondsConverter))]
    public TimeSpan? ExpireAfter { get; init; }

    /// <summary>Attempts per run: 1 to 100.</summary>
    public int? MaxAttempts { get; init; }

    /// <summary>Retry policy of failed attempts.</summary>
    [JsonConverter(typeof(RetryConverter))]
    public RetryPolicy? Retry { get; init; }

    /// <summary>Priority of its tasks unless set by the task.</summary>
    public Priority? Priority { get; init; }
}
