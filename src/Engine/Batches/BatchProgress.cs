using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Batches;

/// <summary>Progress of a batch.</summary>
/// <param name="Total">Number of items; 0 until they are counted.</param>
/// <param name="Completed">Items with a result.</param>
/// <param name="Failed">Items with an error.</param>
public sealed record BatchProgress(int Total, int Completed, int Failed)
{
    /// <summary>The final counts of a batch that has ended.</summary>
    public static BatchProgress Of(BatchState batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        return new(batch.Total, batch.Completed, batch.FailedLines);
    }

    /// <summary>The counts of a batch from the outcomes of its items.</summary>
    internal static BatchProgress Of(BatchState batch, IReadOnlyDictionary<BatchItemOutcome, int> ends)
    {
        var (good, refused) = (ends.GetValueOrDefault(BatchItemOutcome.Succeeded), ends.GetValueOrDefault(BatchItemOutcome.Refused));
        var lost = batch.BadLines + ends.GetValueOrDefault(BatchItemOutcome.Lost);
        return batch.Strict ? new(batch.Total, good, refused + lost) : new(batch.Total, good + refused, lost);
    }
}
