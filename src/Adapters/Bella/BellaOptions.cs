using System.ComponentModel.DataAnnotations;

namespace TaskQueue.Adapters.Bella;

/// <summary>Section <c>TaskQueue:Bella</c>.</summary>
internal sealed class BellaOptions
{
    /// <summary>Whether a task that expired is shown as <c>timeout</c>; the original never does (bella.md 3).</summary>
    public bool ShowTimeout { get; set; }

    /// <summary>
    /// Whether unknown queues, stats and batches are answered with 200 and no body, as the original does, instead of 404.
    /// </summary>
    public bool EmptyForUnknown { get; set; }

    /// <summary>Seconds that a blocking or streaming caller waits where it does not say.</summary>
    [Range(1, 600)]
    public int OnlineTimeoutSeconds { get; set; } = 300;

    /// <summary>Seconds after which a sequential take no longer waits for the running task of a queue.</summary>
    [Range(1, 86_400)]
    public int SequentialLockSeconds { get; set; } = 600;
}
