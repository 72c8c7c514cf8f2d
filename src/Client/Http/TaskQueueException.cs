namespace TaskQueue.Client;

/// <summary>The server refused a request, or could not be reached.</summary>
/// <param name="message">What is wrong, in the server's words.</param>
/// <param name="status">HTTP status; 0 where there was no answer.</param>
/// <param name="code">The server's stable word, such as <c>not_found</c> or <c>invalid_task</c>; null where it said none.</param>
/// <param name="inner">What caused it.</param>
public sealed class TaskQueueException(string message, int status, string? code = null, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>HTTP status; 0 where there was no answer.</summary>
    public int Status { get; } = status;

    /// <summary>The server's stable word; null where it said none.</summary>
    public string? Code { get; } = code;

    /// <summary>When the server said to come again; null where it did not.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Whether the same request may succeed later: no answer, 408, 429, or the server's own trouble.</summary>
    public bool IsTransient => Status is 0 or 408 or 429 or >= 500;
}
