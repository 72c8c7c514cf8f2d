namespace TaskQueue.Engine.Queues;

/// <summary>Notifies all processes of changed settings, so that they need not wait for their caches to expire.</summary>
/// <param name="Names">The queues.</param>
public sealed record QueuesChanged(IReadOnlyList<string> Names);
