namespace TaskQueue.Adapters.OpenAI;

/// <summary>Section <c>TaskQueue:Bella</c>: settings for files and batches.</summary>
internal sealed class DialectOptions
{
    /// <summary>Dialect of requests that do not indicate one.</summary>
    public Dialect Dialect { get; set; }

    /// <summary>Whether bella's dialect returns 200 without a body for unknown batches, as the original does, instead of 404.</summary>
    public bool EmptyForUnknown { get; set; }
}
