using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Callbacks;

namespace TaskQueue.Engine.Encryption;

/// <summary>Decrypts the bodies of callbacks. They are encrypted with the end that they tell of.</summary>
internal sealed partial class EncryptedCallbackStore(ICallbackStore inner, DataCipher cipher, ILogger<EncryptedCallbackStore> logger)
    : ICallbackStore
{
    /// <summary>Leaves out those that cannot be opened: they fall due again when their try is given up.</summary>
    public async Task<IReadOnlyList<Callback>> TakeAsync(CallbackClaim claim, DateTime now)
    {
        var taken = await inner.TakeAsync(claim, now);
        return taken.Any(c => DataCipher.IsMarked(c.Body)) ? [.. taken.Where(TryOpen)] : taken;
    }

    public Task SettleAsync(Callback callback) => inner.SettleAsync(callback);

    public Task<DateTime?> NextCallbackAsync() => inner.NextCallbackAsync();

    public Task<int> RemoveSettledAsync(DateTime before, int max) => inner.RemoveSettledAsync(before, max);

    private bool TryOpen(Callback callback)
    {
        try
        {
            callback.Body = cipher.Open(Place.Result(callback.SubjectId), callback.Body);
            return true;
        }
        catch (UnreadableDataException unreadable)
        {
            LogUnreadable(callback.Id, callback.SubjectId, unreadable.Message);
            return false;
        }
    }

    [LoggerMessage(LogLevel.Error, "Callback {CallbackId} of {SubjectId} cannot be sent: {Problem}")]
    private partial void LogUnreadable(long callbackId, Guid subjectId, string problem);
}
