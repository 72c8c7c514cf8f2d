using System.Diagnostics;

namespace TaskQueue.Client;

/// <summary>The traces of clients and workers.</summary>
public static class ClientTelemetry
{
    /// <summary>Name of the <see cref="ActivitySource"/>, for <c>AddSource</c> of OpenTelemetry.</summary>
    public const string SourceName = "TaskQueue.Client";

    internal static ActivitySource Source { get; } = new(SourceName);
}
