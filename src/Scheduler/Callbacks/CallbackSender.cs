using TaskQueue.Engine.Callbacks;

namespace TaskQueue.Scheduler.Callbacks;

/// <summary>How a try ended.</summary>
/// <param name="Status">Status of the answer, or null where there was none.</param>
/// <param name="Error">Why there was none, or none is sought.</param>
/// <param name="Again">Whether another try may help.</param>
/// <param name="RetryAfter">How long the receiver wants to be left alone.</param>
internal sealed record CallbackTry(int? Status, string? Error, bool Again, TimeSpan? RetryAfter = null)
{
    public bool IsDelivered => Status is >= 200 and < 300;

    /// <summary>When a callback is looked at again that waits for its receiver to be verified; null where it was sent or refused.</summary>
    public DateTime? WaitsUntil { get; init; }
}

/// <summary>Sends callbacks, once their receivers are verified where the operator wants that.</summary>
internal sealed class CallbackSender(ReceiverClient receivers, ReceiverVerifier verifier)
{
    /// <exception cref="OperationCanceledException">The process stops; what became of the try is not known.</exception>
    public async Task<CallbackTry> SendAsync(Callback callback, CallbackEnvelope envelope, CancellationToken cancellationToken)
    {
        if (await verifier.CheckAsync(callback, cancellationToken) is { } unverified)
            return unverified;
        var answer = await receivers.PostAsync(callback.Url, envelope, callback.Body, maxBody: 0, cancellationToken);
        return new CallbackTry(answer.Status, answer.Error, answer.MayRetry, answer.RetryAfter);
    }
}
