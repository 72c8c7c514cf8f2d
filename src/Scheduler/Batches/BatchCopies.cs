using TaskQueue.Engine.Batches;

namespace TaskQueue.Scheduler.Batches;

/// <summary>
/// The items that get the result of an identical one, by the key they share. A small input with many of them could ask for a very large
/// output: once the copies exceed a size, there are no more.
/// </summary>
internal sealed class BatchCopies(IEnumerable<InvalidBatchItem> twins, long maxBytes)
{
    private readonly ILookup<string, InvalidBatchItem> _twins = twins.ToLookup(twin => twin.Message, StringComparer.Ordinal);
    private long _left = maxBytes;

    /// <summary>The items with a key, and whether there is room for a copy of the result.</summary>
    /// <param name="key">The key.</param>
    /// <param name="bytes">Size of the result.</param>
    public IEnumerable<(InvalidBatchItem Twin, bool HasRoom)> Of(string key, long bytes)
    {
        foreach (var twin in _twins[key])
        {
            _left = bytes <= _left ? _left - bytes : -1;
            yield return (twin, _left >= 0);
        }
    }
}
