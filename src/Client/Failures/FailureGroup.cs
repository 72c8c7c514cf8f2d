using System.Text.Json.Serialization;

namespace TaskQueue.Client;

/// <summary>Failed attempts with the same cause.</summary>
public sealed record FailureGroup
{
    /// <summary>Id of the group.</summary>
    public Guid Id { get; init; }

    /// <summary><c>error</c> (reported by workers) or <c>crash</c> (the worker was lost).</summary>
    public string Kind { get; init; } = "";

    /// <summary>Type of the error, if workers report it.</summary>
    public string? ErrorType { get; init; }

    /// <summary>The error without what differs: numbers, ids, quoted texts, hex, paths.</summary>
    public string Message { get; init; } = "";

    /// <summary>Queue of the tasks; empty for failures of all queues.</summary>
    public string Queue { get; init; } = "";

    /// <summary>Name of the tasks.</summary>
    public string? Name { get; init; }

    /// <summary>Owner of the tasks.</summary>
    public string? Owner { get; init; }

    /// <summary><c>open</c>, <c>resolved</c> or <c>ignored</c>.</summary>
    public string State { get; init; } = "";

    /// <summary>Whether a failure opened it again after it was resolved.</summary>
    public bool Regressed { get; init; }

    /// <summary>Number of failed attempts.</summary>
    public long Count { get; init; }

    /// <summary>When the first of them failed.</summary>
    public DateTimeOffset FirstSeenAt { get; init; }

    /// <summary>When the last of them failed.</summary>
    public DateTimeOffset LastSeenAt { get; init; }

    /// <summary>Tasks of the newest failures, at most 5; they may be gone.</summary>
    public IReadOnlyList<Guid> SampleTaskIds { get; init; } = [];

    /// <summary>Versions of the workers that failed, at most 5, those with the newest failures first; empty if they do not tell.</summary>
    public IReadOnlyList<string> Versions { get; init; } = [];

    /// <summary>The newest failures; empty in lists.</summary>
    public IReadOnlyList<FailureSample> Samples { get; init; } = [];
}

/// <summary>A failed attempt.</summary>
public sealed record FailureSample
{
    /// <summary>The task; it may be gone.</summary>
    public Guid TaskId { get; init; }

    /// <summary>The attempt.</summary>
    public int Attempt { get; init; }

    /// <summary>When it failed.</summary>
    public DateTimeOffset At { get; init; }

    /// <summary>The worker that ran it.</summary>
    public string? Worker { get; init; }

    /// <summary>Its error.</summary>
    public string Error { get; init; } = "";

    /// <summary>Where the error came from, if the worker reported it.</summary>
    public string? Stack { get; init; }
}

/// <summary>Which groups of failures to list; null is any.</summary>
public sealed record FailureQuery
{
    /// <summary>Base name of the queue.</summary>
    public string? Queue { get; init; }

    /// <summary>Name of the tasks.</summary>
    public string? Name { get; init; }

    /// <summary><c>open</c>, <c>resolved</c> or <c>ignored</c>.</summary>
    public string? State { get; init; }

    /// <summary><c>error</c> or <c>crash</c>.</summary>
    public string? Kind { get; init; }
}

/// <summary>What somebody decides about a group of failures.</summary>
public enum FailureDecision
{
    /// <summary>The cause is mended: the next failure opens the group again.</summary>
    Resolve,

    /// <summary>Of no interest.</summary>
    Ignore,

    /// <summary>Open.</summary>
    Reopen,
}

internal sealed record FailureListAnswer(IReadOnlyList<FailureGroup> Groups, string? NextCursor);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(FailureGroup))]
[JsonSerializable(typeof(FailureListAnswer))]
internal sealed partial class FailureJson : JsonSerializerContext;
