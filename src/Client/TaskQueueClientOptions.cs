namespace TaskQueue.Client;

/// <summary>Where the server is, and who calls.</summary>
public sealed class TaskQueueClientOptions
{
    /// <summary>Address of the server, such as <c>http://localhost:8080</c>.</summary>
    public Uri BaseAddress { get; set; } = new("http://localhost:8080");

    /// <summary>API key or JWT that is sent as <c>Authorization: Bearer …</c>; null sends none.</summary>
    public string? ApiKey { get; set; }

    /// <summary>Encodes data and decodes results, also for workers and bus producers of this program that have no codec of their own; null is none.</summary>
    public ITaskPayloadCodec? Codec { get; set; }
}
