namespace TaskQueue.Adapters.OpenAI;

/// <summary>Section <c>TaskQueue:Bella</c>, as far as files and batches are concerned.</summary>
internal sealed class DialectOptions
{
    /// <summary>The dialect of requests that show none.</summary>
    public Dialect Dialect { get; set; }

    /// <summary>
    /// Whether unknown batches are answered with 200 and no body in bella's dialect, as the original does, instead of 404.
    /// </summary>
    public bool EmptyForUnknown { get; set; }
}
