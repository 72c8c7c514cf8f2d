namespace TaskQueue.Engine.Quotas;

/// <summary>Token buckets that several processes change.</summary>
internal static class SharedBuckets
{
    /// <summary>Changes a bucket, which begins full.</summary>
    /// <param name="store">The store.</param>
    /// <param name="key">A tenant, or the key of a budget.</param>
    /// <param name="maxTries">Tries that may meet changes of other processes.</param>
    /// <param name="change">Given the time up to which it is spent and the current time, in nanoseconds; null leaves it.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellationToken">Cancels the statements.</param>
    /// <returns>False if every try met a change of another process.</returns>
    public static async Task<bool> TryChangeAsync(this ITenantUsageStore store, string key, int maxTries,
        Func<long, long, long?> change, TimeProvider time, CancellationToken cancellationToken)
    {
        for (var tries = 0; tries < maxTries; tries++)
        {
            if (await store.FindBucketAsync(key, cancellationToken) is not { } bucket)
            {
                await store.AddBucketAsync(key, Micros.Now(time), cancellationToken);
                continue;
            }

            if (change(bucket.Spent, TokenBucket.Nanoseconds(bucket.Now)) is not { } spent
                || await store.TryUpdateBucketAsync(key, bucket, spent, cancellationToken))
                return true;
        }

        return false;
    }
}
