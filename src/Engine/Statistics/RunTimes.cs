using System.Numerics;

namespace TaskQueue.Engine.Statistics;

/// <summary>The buckets of run times: powers of two of 5 ms, so that the bucket of a time is found without a search.</summary>
public static class RunTimes
{
    /// <summary>Number of buckets; the last one has no upper bound.</summary>
    public const int Buckets = 22;

    private const double FirstMs = 5;

    /// <summary>The upper bound of a bucket in seconds, inclusive: 0.005, 0.01, 0.02 … 5,242.88.</summary>
    public static double UpperBound(int bucket) => FirstMs / 1000 * (1L << bucket);

    /// <summary>The bucket of a time.</summary>
    public static int BucketOf(TimeSpan time)
    {
        var steps = (ulong)Math.Ceiling(Math.Max(1, time.TotalMilliseconds / FirstMs)); // 1 up to the first bound
        return Math.Min(steps == 1 ? 0 : BitOperations.Log2(steps - 1) + 1, Buckets - 1);
    }
}
