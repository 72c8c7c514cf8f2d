namespace TaskQueue.Engine.Callbacks;

/// <summary>Statements about callbacks. One implementation for each provider.</summary>
public interface ICallbackStore
{
    /// <summary>Takes due callbacks for a try, those due longest first; they fall due again when the try is given up.</summary>
    Task<IReadOnlyList<Callback>> TakeAsync(CallbackClaim claim, DateTime now);

    /// <summary>Notes how a try ended, unless it was given up and another has begun.</summary>
    /// <param name="callback">As it was taken, with its new state, due time, log and end.</param>
    Task SettleAsync(Callback callback);

    /// <summary>When the next callback is due, or its try given up; may be in the past.</summary>
    Task<DateTime?> NextCallbackAsync();

    /// <summary>Removes callbacks that ended before a time, a few at once.</summary>
    /// <returns>How many.</returns>
    Task<int> RemoveSettledAsync(DateTime before, int max);
}
