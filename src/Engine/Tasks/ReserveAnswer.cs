namespace TaskQueue.Engine.Tasks;

/// <summary>Reserves memory for a response before it is read.</summary>
/// <param name="bytes">Bytes of payloads, results and headers.</param>
/// <param name="tasks">Number of tasks.</param>
/// <param name="cancellationToken">Cancels the wait.</param>
public delegate ValueTask ReserveAnswer(long bytes, int tasks, CancellationToken cancellationToken);
