namespace TaskQueue.Engine.Workers;

/// <summary>Identifies a worker: its name is unique for its credential only.</summary>
/// <param name="Owner">Tenant of its credential; null for workers of the server itself, and without authentication.</param>
/// <param name="Credential">The credential that holds the leases of its claims, or null.</param>
/// <param name="Name">Its name.</param>
public readonly record struct WorkerKey(string? Owner, string? Credential, string Name);

/// <summary>What a worker tells about itself with a claim.</summary>
/// <param name="Transport">
/// How it reaches the engine: <see cref="Http"/>, <see cref="Grpc"/>, <see cref="Bus"/>, <see cref="InProcess"/>, or an API.
/// </param>
/// <param name="Owner">Tenant of its credential.</param>
public sealed record WorkerContact(string Transport, string? Owner)
{
    /// <summary>The native API.</summary>
    public const string Http = "http";

    /// <summary>The native API over gRPC.</summary>
    public const string Grpc = "grpc";

    /// <summary>The message bus.</summary>
    public const string Bus = "bus";

    /// <summary>A worker of the server itself.</summary>
    public const string InProcess = "in_process";

    /// <summary>Version of its program, or null.</summary>
    public string? Version { get; init; }

    /// <summary>Its machine, or null.</summary>
    public string? Host { get; init; }

    /// <summary>Number of tasks that it runs at a time, or null.</summary>
    public int? Slots { get; init; }

    /// <summary>Random for each start of the worker, so that a restart under the same name is noticed; or null.</summary>
    public string? Instance { get; init; }

    /// <summary>
    /// Whether a worker that works contacts the engine all the time, as those of the packages do, which tell their instance. A worker that
    /// does not may be silent without being lost: one that polls now and then, or one on the bus without tasks.
    /// </summary>
    /// <param name="transport">See <see cref="Transport"/>.</param>
    /// <param name="instance">See <see cref="Instance"/>.</param>
    public static bool IsContinuous(string? transport, string? instance) =>
        transport is InProcess || (transport is Http or Grpc && instance is not null);
}
