using System.Diagnostics;
using MassTransit;

namespace TaskQueue.Bus.Health;

/// <summary>A message of this process to a queue that it consumes, to prove that it does. It has no effect.</summary>
[ConfigureConsumeTopology(false)]
[ExcludeFromTopology]
internal sealed record Canary;

/// <summary>Consumes canaries; their arrival is recorded like that of every message.</summary>
internal sealed class CanaryConsumer : IConsumer<Canary>
{
    /// <summary>Suppresses spans: they would be an empty trace every few seconds.</summary>
    public Task Consume(ConsumeContext<Canary> context)
    {
        for (var activity = Activity.Current; activity is not null; activity = activity.Parent)
            activity.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded; // checked by exporters
        return Task.CompletedTask;
    }
}
