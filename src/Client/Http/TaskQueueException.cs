namespace TaskQueue.Client;

/// <summary>The server refused a request, or could not be reached.</summary>
/// <param name="message">The server's error text, or why it could not be reached.</param>
/// <param name="status">HTTP status; 0 if there was no response.</param>
/// <param name="code">Stable error code, such as <c>not_found</c> or <c>invalid_task</c>; null if the server sent none.</param>
/// <param name="inner">The cause, if any.</param>
public sealed class TaskQueueException(string message, int status, string? code = null, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>HTTP status; 0 if there was no response.</summary>
    public int Status { get; } = status;

    /// <summary>Stable error code; null if the server sent none.</summary>
    public string? Code { get; } = code;

    /// <summary>How long the server asks to wait before retrying; null if it did not say.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Whether the same request may succeed later: no response, 408, 429 or 5xx.</summary>
    public bool IsTransient => Status is 0 or 408 or 429 or >= 500;
}
