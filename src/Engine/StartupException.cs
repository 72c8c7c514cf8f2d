namespace TaskQueue.Engine;

/// <summary>The process cannot start; the message is a single line with the remedy.</summary>
/// <param name="message">The message.</param>
/// <param name="inner">The cause, if any.</param>
public sealed class StartupException(string message, Exception? inner = null) : Exception(message, inner);
