namespace TaskQueue.Engine;

/// <summary>
/// Too many requests wait for the database or for memory, or one waited too long: nothing was done, and a retry may succeed.
/// </summary>
public sealed class OverloadedException(string message) : Exception(message);
