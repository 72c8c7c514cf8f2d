namespace TaskQueue.Engine.Batches;

/// <summary>A task of a batch that has ended.</summary>
/// <param name="Id">The task.</param>
/// <param name="State">A terminal state.</param>
/// <param name="Result">JSON text, or null.</param>
/// <param name="Error">Why it failed, or null.</param>
/// <param name="Headers">JSON text, or null.</param>
public sealed record EndedBatchItem(Guid Id, int State, string? Result, string? Error, string? Headers);
