namespace TaskQueue.Storage;

/// <summary>Transactions that lose a race are tried again.</summary>
internal static class ConflictRetry
{
    private const int MaxTries = 20;

    /// <summary>Tries work again while it fails by a race, or found something gone (null).</summary>
    /// <exception cref="TimeoutException">It found something gone each time.</exception>
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
                // The other has committed.
            }

            if (tries >= MaxTries)
                throw new TimeoutException($"The transaction lost {tries} races in a row.");
        }
    }
}
