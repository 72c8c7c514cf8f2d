using System.Diagnostics;
using MassTransit;

namespace TaskQueue.Bus.Health;

/// <summary>A message of this process to a queue that it consumes, to show that it does. Nothing hangs on it.</summary>
[ConfigureConsumeTopology(false)]
[ExcludeFromTopology]
internal sealed record Canary;

/// <summary>Takes canaries; that they came is noted where everything is that comes.</summary>
internal sealed class CanaryConsumer : IConsumer<Canary>
{
    /// <summary>Leaves no spans behind: they would be a trace every few seconds, about nothing.</summary>
    public Task Consume(ConsumeContext<Canary> context)
    {
        for (var activity = Activity.Current; activity is not null; activity = activity.Parent)
            activity.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded; // what exporters go by
        return Task.CompletedTask;
    }
}
