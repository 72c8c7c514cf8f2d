using System.Diagnostics;

namespace TaskQueue.Client;

/// <summary>Tracing of clients and workers.</summary>
public static class ClientTelemetry
{
    /// <summary>Name of the <see cref="ActivitySource"/>; pass it to OpenTelemetry's <c>AddSource</c>.</summary>
    public const string SourceName = "TaskQueue.Client";

    internal static ActivitySource Source { get; } = new(SourceName);
}
