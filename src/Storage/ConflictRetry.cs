namespace TaskQueue.Storage;

/// <summary>Retries transactions on concurrency conflicts.</summary>
internal static class ConflictRetry
{
    private const int MaxTries = 20;

    /// <summary>Retries work while it fails by a conflict, or finds a row gone (null).</summary>
    /// <exception cref="TimeoutException">Every try failed.</exception>
    public static async Task<T> RetryAsync<T>(Func<Task<T?>> work, Func<Exception, bool> isRace)
        where T : class
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                if (await work() is { } result)
                    return result;
            }
            catch (Exception race) when (tries < MaxTries && isRace(race))
            {
                // The other transaction has committed.
            }

            if (tries >= MaxTries)
                throw new TimeoutException($"The transaction failed with {tries} concurrency conflicts in a row.");
        }
    }
}
