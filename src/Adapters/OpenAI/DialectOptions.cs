namespace TaskQueue.Adapters.OpenAI;

/// <summary>Section <c>TaskQueue:Bella</c>: settings for files and batches.</summary>
internal sealed class DialectOptions
{
    /// <summary>Dialect of requests that do not indicate one.</summary>
    public Dialect Dialect { get; set; } = Dialect.OpenAI;

    /// <summary>Names of API keys whose holders use Bella's dialect, unless a request indicates another.</summary>
    /// <value>None.</value>
    public IList<string> Keys { get; } = [];

    /// <summary>
    /// Whether requests for unknown queues, stats and batches return 200 without a body, as the original does, instead of 404.
    /// </summary>
    public bool EmptyForUnknown { get; set; }
}
