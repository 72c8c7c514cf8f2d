using TaskQueue.Engine.Callbacks;

namespace TaskQueue.Scheduler.Callbacks;

/// <summary>Outcome of a try.</summary>
/// <param name="Status">HTTP status; null if there was no response.</param>
/// <param name="Error">Why there was no response, or why none was requested.</param>
/// <param name="Again">Whether a retry may succeed.</param>
/// <param name="RetryAfter">The receiver's Retry-After.</param>
internal sealed record CallbackTry(int? Status, string? Error, bool Again, TimeSpan? RetryAfter = null)
{
    public bool IsDelivered => Status is >= 200 and < 300;

    /// <summary>Next check of a callback that waits for its receiver to be verified; null if it was sent or refused.</summary>
    public DateTime? WaitsUntil { get; init; }
}

/// <summary>Sends callbacks; verifies their receivers first if the operator requires it.</summary>
internal sealed class CallbackSender(ReceiverClient receivers, ReceiverVerifier verifier)
{
    /// <exception cref="OperationCanceledException">The process stops; the outcome of the try is unknown.</exception>
    public async Task<CallbackTry> SendAsync(Callback callback, CallbackEnvelope envelope, CancellationToken cancellationToken)
    {
        if (await verifier.CheckAsync(callback, cancellationToken) is { } unverified)
            return unverified;
        var answer = await receivers.PostAsync(callback.Url, envelope, callback.Body, maxBody: 0, cancellationToken);
        return new CallbackTry(answer.Status, answer.Error, answer.MayRetry, answer.RetryAfter);
    }
}
