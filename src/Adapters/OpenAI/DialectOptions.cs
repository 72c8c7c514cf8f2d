namespace TaskQueue.Adapters.OpenAI;

/// <summary>Section <c>TaskQueue:Bella</c>: settings for files and batches.</summary>
internal sealed class DialectOptions
{
    /// <summary>Dialect of requests that do not indicate one.</summary>
    public Dialect Dialect { get; set; }

    /// <summary>
    /// Whether requests for unknown queues, stats and batches return 200 without a body, as the original does, instead of 404.
    /// </summary>
    public bool EmptyForUnknown { get; set; }
}
