namespace TaskQueue.Engine.Queues;

/// <summary>One level of a queue; written <c>name:level</c>.</summary>
/// <param name="Queue">Base name.</param>
/// <param name="Level">0 online, 1..N offline.</param>
public readonly record struct QueueLevel(string Queue, int Level);
