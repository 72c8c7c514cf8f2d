using System.Text.Json.Serialization;

namespace TaskQueue.Client;

/// <summary>A worker as the server lists it.</summary>
public sealed class WorkerInfo
{
    /// <summary>Identifies it for <see cref="TaskQueueClient.DrainWorkerAsync"/>.</summary>
    public required string Id { get; init; }

    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>Version of its program; null if it does not say.</summary>
    public string? Version { get; init; }

    /// <summary>Its machine; null if it does not say.</summary>
    public string? Host { get; init; }

    /// <summary><c>http</c>, <c>bus</c>, <c>in_process</c>, <c>bella</c> or <c>moab</c>.</summary>
    public required string Transport { get; init; }

    /// <summary>The queues that it claims from: <c>name</c> or <c>name:tier</c>.</summary>
    public IReadOnlyList<string> Queues { get; init; } = [];

    /// <summary>Tasks that it runs at a time; null if it does not say.</summary>
    public int? Slots { get; init; }

    /// <summary>Tasks that it holds now.</summary>
    public int Running { get; init; }

    /// <summary>Its last contact with the server, to a few seconds.</summary>
    public DateTime LastSeenAt { get; init; }

    /// <summary>Its first contact since it started.</summary>
    public DateTime StartedAt { get; init; }

    /// <summary><c>active</c>, <c>draining</c>, <c>lost</c> or <c>stopped</c>.</summary>
    public required string State { get; init; }

    /// <summary>What became of tasks whose leases expired in its hands; null if there are none.</summary>
    public LostWork? LostTasks { get; init; }

    /// <summary>Tenant of its key; null for the server's own workers.</summary>
    public string? Owner { get; init; }
}

/// <summary>Tasks whose leases expired in the hands of a worker.</summary>
public sealed class LostWork
{
    /// <summary>Number that were queued for another attempt.</summary>
    public int Retried { get; init; }

    /// <summary>Number that ended, because no attempt was left.</summary>
    public int Failed { get; init; }
}

internal sealed record WorkerPage(IReadOnlyList<WorkerInfo> Workers, string? NextCursor);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(WorkerPage))]
internal sealed partial class WorkerListJson : JsonSerializerContext;
