namespace TaskQueue.Engine.Tasks;

/// <summary>Waits until an answer of so many bytes and tasks may be read.</summary>
/// <param name="bytes">Payloads, results and headers.</param>
/// <param name="tasks">How many tasks.</param>
/// <param name="cancellationToken">Ends the wait.</param>
public delegate ValueTask ReserveAnswer(long bytes, int tasks, CancellationToken cancellationToken);
