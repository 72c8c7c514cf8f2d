namespace TaskQueue.Engine;

/// <summary>
/// More waits for the database or for memory than may, or waited for longer than it may: nothing was done, and the same may succeed later.
/// </summary>
public sealed class OverloadedException(string message) : Exception(message);
