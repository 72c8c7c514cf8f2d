using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Quarantine;

namespace TaskQueue.Engine.Encryption;

/// <summary>Decrypts the bodies of callbacks. They are encrypted together with the result that they carry.</summary>
internal sealed partial class EncryptedCallbackStore(
    ICallbackStore inner, DataCipher cipher, CallbackQuarantine quarantine, TimeProvider time, ILogger<EncryptedCallbackStore> logger)
        : ICallbackStore
{
    private readonly RepeatedFailures<long> _failures = new(time);

    /// <summary>
    /// Skips callbacks that cannot be decrypted. They fall due again when their attempt is given up, so a key that is missing for a moment
    /// costs nothing; after a few attempts they are quarantined.
    /// </summary>
    public async Task<IReadOnlyList<Callback>> TakeAsync(CallbackClaim claim, DateTime now)
    {
        var taken = await inner.TakeAsync(claim, now);
        if (!taken.Any(c => DataCipher.IsMarked(c.Body)))
            return taken;
        var opened = new List<Callback>(taken.Count);
        foreach (var callback in taken)
        {
            if (Open(callback) is not { } unreadable)
            {
                opened.Add(callback);
                _failures.Succeeded(callback.Id);
            }
            else if (_failures.Failed(callback.Id) && await quarantine.SetAsideAsync(callback, unreadable, CancellationToken.None) is null)
                _failures.Succeeded(callback.Id);
        }

        return opened;
    }

    public Task SettleAsync(Callback callback) => inner.SettleAsync(callback);

    public Task<DateTime?> NextCallbackAsync() => inner.NextCallbackAsync();

    public Task<int> RemoveSettledAsync(DateTime before, int max) => inner.RemoveSettledAsync(before, max);

    /// <returns>Why the callback cannot be decrypted; null on success.</returns>
    private UnreadableDataException? Open(Callback callback)
    {
        try
        {
            callback.Body = cipher.Open(Place.Result(callback.SubjectId), callback.Body);
            return null;
        }
        catch (UnreadableDataException unreadable)
        {
            LogUnreadable(callback.Id, callback.SubjectId, unreadable.Message);
            return unreadable;
        }
    }

    [LoggerMessage(LogLevel.Error, "Callback {CallbackId} of {SubjectId} cannot be sent: {Problem}")]
    private partial void LogUnreadable(long callbackId, Guid subjectId, string problem);
}
