namespace TaskQueue.Client;

/// <summary>Server address and credentials.</summary>
public sealed class TaskQueueClientOptions
{
    /// <summary>Address of the server, such as <c>http://localhost:8080</c>.</summary>
    public Uri BaseAddress { get; set; } = new("http://localhost:8080");

    /// <summary>API key or JWT, sent as <c>Authorization: Bearer …</c>; null sends none.</summary>
    public string? ApiKey { get; set; }

    /// <summary>
    /// Encodes data and decodes results. Workers and bus producers of this program without a codec of their own use it too; null: none.
    /// </summary>
    public ITaskPayloadCodec? Codec { get; set; }
}
