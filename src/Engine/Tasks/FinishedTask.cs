namespace TaskQueue.Engine.Tasks;

/// <summary>Completion of a task.</summary>
/// <param name="Id">The task.</param>
/// <param name="State">A terminal state.</param>
/// <param name="Error">Error of a failure.</param>
/// <param name="ResultBytes">Size of its result in bytes.</param>
public sealed record FinishedTask(Guid Id, int State, string? Error, long ResultBytes);
