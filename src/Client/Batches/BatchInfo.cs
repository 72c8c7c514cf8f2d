using System.Text.Json.Serialization;

namespace TaskQueue.Client;

/// <summary>A batch of any API.</summary>
public sealed record BatchInfo
{
    /// <summary>Its id, as in every API.</summary>
    public string Id { get; init; } = "";

    /// <summary>Queue of its tasks.</summary>
    public string Queue { get; init; } = "";

    /// <summary>Tier of its tasks.</summary>
    public int Tier { get; init; }

    /// <summary>Endpoint that processes its items.</summary>
    public string Endpoint { get; init; } = "";

    /// <summary>
    /// <c>validating</c>, <c>in_progress</c>, <c>cancelling</c>, <c>expiring</c>, <c>finalizing</c>, <c>completed</c>, <c>failed</c>,
    /// <c>expired</c> or <c>cancelled</c>.
    /// </summary>
    public string State { get; init; } = "";

    /// <summary>Its owner.</summary>
    public string? Owner { get; init; }

    /// <summary>Name of the caller that created it.</summary>
    public string? Submitter { get; init; }

    /// <summary>Number of items; 0 until they are counted.</summary>
    public int Total { get; init; }

    /// <summary>Items with a result.</summary>
    public int Completed { get; init; }

    /// <summary>Items with an error.</summary>
    public int Failed { get; init; }

    /// <summary>Items with either.</summary>
    public int Done { get; init; }

    /// <summary>When it was accepted.</summary>
    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>When it expires.</summary>
    public DateTimeOffset DeadlineAt { get; init; }

    /// <summary>When its input was found valid.</summary>
    public DateTimeOffset? InProgressAt { get; init; }

    /// <summary>When it ended.</summary>
    public DateTimeOffset? FinishedAt { get; init; }

    /// <summary>File with its items.</summary>
    public string InputFileId { get; init; } = "";

    /// <summary>File with its results.</summary>
    public string? OutputFileId { get; init; }

    /// <summary>File with its errors.</summary>
    public string? ErrorFileId { get; init; }

    /// <summary>Texts that its submitter noted.</summary>
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }

    /// <summary>The model that the first item names.</summary>
    public string? Model { get; init; }

    /// <summary>The batch whose failed items it repeats.</summary>
    public string? RetryOf { get; init; }

    /// <summary>What a running item waits for; null if none says so, and in lists.</summary>
    public BatchWait? WaitingFor { get; init; }
}

/// <summary>What an item of a batch waits for.</summary>
public sealed record BatchWait
{
    /// <summary>Why its upstream takes no request now, or that it waits for its turn.</summary>
    public string Reason { get; init; } = "";

    /// <summary>Endpoint of the upstream.</summary>
    public string? Upstream { get; init; }

    /// <summary>When the next request is due.</summary>
    public DateTimeOffset? Until { get; init; }
}

internal sealed record BatchListAnswer(IReadOnlyList<BatchInfo> Batches, string? NextCursor);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(BatchInfo))]
[JsonSerializable(typeof(BatchListAnswer))]
internal sealed partial class BatchJson : JsonSerializerContext;
