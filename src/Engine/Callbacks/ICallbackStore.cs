namespace TaskQueue.Engine.Callbacks;

/// <summary>Statements on callbacks, implemented by each provider.</summary>
public interface ICallbackStore
{
    /// <summary>Claims due callbacks for an attempt, longest due first; they fall due again when the attempt is given up.</summary>
    Task<IReadOnlyList<Callback>> TakeAsync(CallbackClaim claim, DateTime now);

    /// <summary>Records the outcome of an attempt, unless it was given up and another has begun.</summary>
    /// <param name="callback">The callback as claimed, with its new state, due time, log and finish time.</param>
    Task SettleAsync(Callback callback);

    /// <summary>When the next callback is due, or an attempt is given up; may be in the past.</summary>
    Task<DateTime?> NextCallbackAsync();

    /// <summary>Removes up to <paramref name="max"/> callbacks that finished before the given time.</summary>
    /// <returns>Number of callbacks removed.</returns>
    Task<int> RemoveSettledAsync(DateTime before, int max);
}
