namespace TaskQueue.Engine.Clocks;

/// <summary>Reads the clock of the database.</summary>
public interface IDatabaseTimeSource
{
    /// <summary>Whether the database has a clock of its own; if not, that of this machine counts.</summary>
    bool HasClock { get; }

    /// <summary>Asks for the time, over a connection that is already open when the round trip begins.</summary>
    Task<DatabaseTime> ReadAsync(CancellationToken cancellationToken);
}

/// <summary>The database's answer.</summary>
/// <param name="Now">Its time.</param>
/// <param name="Server">Changes when another server takes over, which may lack the last transactions; null if unknown.</param>
/// <param name="Sent">Timestamp of the question.</param>
/// <param name="Received">Timestamp of the answer.</param>
public sealed record DatabaseTime(DateTimeOffset Now, string? Server, long Sent, long Received);
