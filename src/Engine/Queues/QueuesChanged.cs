namespace TaskQueue.Engine.Queues;

/// <summary>Tells all processes that settings changed, so that they need not wait for their caches to age.</summary>
/// <param name="Names">The queues.</param>
public sealed record QueuesChanged(IReadOnlyList<string> Names);
