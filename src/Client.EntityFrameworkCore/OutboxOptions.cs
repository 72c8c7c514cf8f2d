using Microsoft.Extensions.Options;

namespace TaskQueue.Client;

/// <summary>Options of an outbox and its relay.</summary>
public sealed class OutboxOptions
{
    /// <summary>
    /// Whether this process sends what is in the outbox; default true. A process without relay still enqueues, and another one sends.
    /// </summary>
    public bool RunsRelay { get; set; } = true;

    /// <summary>Chooses the producer; null: the <see cref="ITaskProducer"/> of the container.</summary>
    public Func<IServiceProvider, ITaskProducer>? Producer { get; set; }

    /// <summary>Most rows sent together: 1 to 1,000; default 500.</summary>
    public int BatchSize { get; set; } = 500;

    /// <summary>Most bytes sent together, unless a single row has more: 64 KiB to 32 MiB; default 4 MiB.</summary>
    public int MaxBatchBytes { get; set; } = 4 * 1024 * 1024;

    /// <summary>
    /// How often the outbox is read if nothing wakes the relay, such as rows of other processes: 100 ms to 1 min; default 5 s.
    /// </summary>
    public TimeSpan PollInterval { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// How long a relay has the rows of a batch for itself: 10 s to 1 h; default 2 min. After a crash they are sent again when it ends.
    /// </summary>
    public TimeSpan Lease { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>Longest pause while the server or the broker is unavailable: 200 ms to 10 min; default 30 s.</summary>
    public TimeSpan MaxBackoff { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How often a task is tried whose refusal may pass, such as a queue that the key may not use, before it is set aside: 1 to 1,000;
    /// default 20. The pauses double up to 5 min. What can never be accepted is set aside at once. Outages do not count; failures of a task
    /// that look like one, while others pass, do.
    /// </summary>
    public int MaxAttempts { get; set; } = 20;

    /// <summary>From which age of the oldest waiting row on the health check is degraded: 1 s to 1 day; default 5 min.</summary>
    public TimeSpan DegradedAfter { get; set; } = TimeSpan.FromMinutes(5);

    /// <exception cref="OptionsValidationException">An option is out of range.</exception>
    internal void Validate()
    {
        Demand(BatchSize is >= 1 and <= 1000, "BatchSize must be 1 to 1000");
        Demand(MaxBatchBytes is >= 64 * 1024 and <= 32 * 1024 * 1024, "MaxBatchBytes must be 65536 to 33554432");
        Demand(PollInterval >= TimeSpan.FromMilliseconds(100) && PollInterval <= TimeSpan.FromMinutes(1),
            "PollInterval must be 100 ms to 1 min");
        Demand(Lease >= TimeSpan.FromSeconds(10) && Lease <= TimeSpan.FromHours(1), "Lease must be 10 s to 1 h");
        Demand(MaxBackoff >= TimeSpan.FromMilliseconds(200) && MaxBackoff <= TimeSpan.FromMinutes(10),
            "MaxBackoff must be 200 ms to 10 min");
        Demand(MaxAttempts is >= 1 and <= 1000, "MaxAttempts must be 1 to 1000");
        Demand(DegradedAfter >= TimeSpan.FromSeconds(1) && DegradedAfter <= TimeSpan.FromDays(1), "DegradedAfter must be 1 s to 1 day");
    }

    private static void Demand(bool holds, string rule)
    {
        if (!holds)
            throw new OptionsValidationException(nameof(OutboxOptions), typeof(OutboxOptions), [$"OutboxOptions.{rule}"]);
    }
}
