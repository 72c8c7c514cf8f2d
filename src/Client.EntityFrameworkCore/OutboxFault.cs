using System.Text.Json;

namespace TaskQueue.Client;

/// <summary>What a failed send means for its rows.</summary>
internal enum OutboxFault
{
    /// <summary>Nothing can be sent now: all rows wait.</summary>
    Unavailable,

    /// <summary>A row can never be accepted: it is set aside.</summary>
    Refused,

    /// <summary>The key may not use a queue. That may be changed: its rows are tried again later.</summary>
    Forbidden,

    /// <summary>It is not known whether it passes: the row is tried again later.</summary>
    Unknown,
}

/// <summary>Judges failed sends.</summary>
internal static class OutboxFaults
{
    public static OutboxFault Judge(Exception fault) =>
        fault switch
        {
            TaskQueueException { IsTransient: true } => OutboxFault.Unavailable,
            TaskQueueException { Status: 401 } => OutboxFault.Unavailable, // the key is wrong for every row
            TaskQueueException { Status: 403 } => OutboxFault.Forbidden,
            TaskQueueException { Status: 413 or 422 } => OutboxFault.Refused,
            // The server's own errors have a code. Without one a proxy answered, which knows nothing of the row.
            TaskQueueException { Code: null } => OutboxFault.Unavailable,
            TaskQueueException or JsonException => OutboxFault.Refused,
            OperationCanceledException or TimeoutException or HttpRequestException or IOException => OutboxFault.Unavailable,
            _ => OutboxFault.Unknown,
        };

    /// <summary>Text for the column <c>error</c>.</summary>
    public static string Text(Exception fault)
    {
        var text = fault is TaskQueueException ? fault.Message : $"{fault.GetType().Name}: {fault.Message}";
        text = text.Replace("\0", "", StringComparison.Ordinal); // PostgreSQL cannot store it
        if (text.Length <= OutboxModel.MaxError)
            return text;
        return text[..(char.IsHighSurrogate(text[OutboxModel.MaxError - 1]) ? OutboxModel.MaxError - 1 : OutboxModel.MaxError)];
    }
}
