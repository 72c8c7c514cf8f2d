namespace TaskQueue.Client;

/// <summary>Exponential backoff, doubling up to a maximum; jitter shortens each wait by up to half.</summary>
internal sealed class Backoff(TimeSpan longest, TimeProvider time)
{
    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(200);
    private TimeSpan _next = First;

    public void Reset() => _next = First;

    /// <summary>Waits at least as long as the server asked for.</summary>
    public async Task WaitAsync(TimeSpan? atLeast, CancellationToken cancellationToken)
    {
        var wait = _next * (1 - (Random.Shared.NextDouble() / 2));
        _next = _next * 2 < longest ? _next * 2 : longest;
        await Task.Delay(atLeast > wait ? atLeast.Value : wait, time, cancellationToken);
    }
}
