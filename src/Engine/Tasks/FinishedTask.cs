namespace TaskQueue.Engine.Tasks;

/// <summary>How a task ended.</summary>
/// <param name="Id">The task.</param>
/// <param name="State">A terminal state.</param>
/// <param name="Error">Why it failed.</param>
/// <param name="ResultBytes">Size of its result.</param>
public sealed record FinishedTask(Guid Id, int State, string? Error, long ResultBytes);
