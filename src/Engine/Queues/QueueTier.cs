namespace TaskQueue.Engine.Queues;

/// <summary>A tier of a queue, written <c>name:tier</c>.</summary>
/// <param name="Queue">Base name.</param>
/// <param name="Tier">0 online, 1..N offline.</param>
public readonly record struct QueueTier(string Queue, int Tier);
