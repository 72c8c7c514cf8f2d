namespace TaskQueue.Engine;

/// <summary>The process cannot start; the message is one line that says what to change.</summary>
/// <param name="message">The line.</param>
public sealed class StartupException(string message) : Exception(message);
