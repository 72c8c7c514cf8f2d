namespace TaskQueue.Engine;

/// <summary>The broker is away, or did not confirm in time: what was sent may or may not have arrived.</summary>
public sealed class BrokerSilentException(string message, Exception? inner = null) : Exception(message, inner);
