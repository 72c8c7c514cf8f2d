using System.ComponentModel.DataAnnotations;

namespace TaskQueue.Adapters.Bella;

/// <summary>Section <c>TaskQueue:Bella</c>.</summary>
internal sealed class BellaOptions
{
    /// <summary>Whether an expired task is shown as <c>timeout</c>; the original never does (bella.md 3).</summary>
    public bool ShowTimeout { get; set; }

    /// <summary>
    /// Whether requests for unknown queues, stats and batches return 200 without a body, as the original does, instead of 404.
    /// </summary>
    public bool EmptyForUnknown { get; set; }

    /// <summary>Default wait of a blocking or streaming caller in seconds.</summary>
    [Range(1, 600)]
    public int OnlineTimeoutSeconds { get; set; } = 300;

    /// <summary>Seconds after which a sequential take stops waiting for a queue's running task.</summary>
    [Range(1, 86_400)]
    public int SequentialLockSeconds { get; set; } = 600;
}
