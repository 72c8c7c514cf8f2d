namespace TaskQueue.Engine;

/// <summary>The broker is unreachable or did not confirm in time: the message may or may not have been delivered.</summary>
public sealed class BrokerSilentException(string message, Exception? inner = null) : Exception(message, inner);
