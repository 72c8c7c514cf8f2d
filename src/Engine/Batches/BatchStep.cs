using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Batches;

/// <summary>Some lines of a batch in progress.</summary>
/// <param name="BatchId">The batch.</param>
/// <param name="From">Lines of its input that were done before.</param>
/// <param name="To">Lines that are done with this insert.</param>
/// <param name="Bytes">Bytes of the input behind them.</param>
/// <param name="Bad">Those among them that cannot be run.</param>
public sealed record BatchStep(Guid BatchId, int From, int To, long Bytes, IReadOnlyList<InvalidBatchItem> Bad) : InsertStep;
