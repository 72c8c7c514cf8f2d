using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Batches;

/// <summary>A range of items of a batch in progress.</summary>
/// <param name="BatchId">The batch.</param>
/// <param name="From">Number of items expanded before this step.</param>
/// <param name="To">Number of items expanded after this step.</param>
/// <param name="Bytes">Offset in the input after the step, in bytes.</param>
/// <param name="Bad">The invalid items of the range.</param>
public sealed record BatchStep(Guid BatchId, int From, int To, long Bytes, IReadOnlyList<InvalidBatchItem> Bad) : InsertStep;
