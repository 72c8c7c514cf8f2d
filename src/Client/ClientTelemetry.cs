using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace TaskQueue.Client;

/// <summary>Tracing and metrics of clients and workers.</summary>
public static class ClientTelemetry
{
    /// <summary>Name of the <see cref="ActivitySource"/>; pass it to OpenTelemetry's <c>AddSource</c>.</summary>
    public const string SourceName = "TaskQueue.Client";

    /// <summary>Name of the <see cref="Meter"/>; pass it to OpenTelemetry's <c>AddMeter</c>.</summary>
    public const string MeterName = "TaskQueue.Client";

    internal static ActivitySource Source { get; } = new(SourceName);
}
