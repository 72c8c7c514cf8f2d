namespace TaskQueue.Client;

/// <summary>Waits that double, up to a longest one, each shortened by up to a half at random.</summary>
internal sealed class Backoff(TimeSpan longest, TimeProvider time)
{
    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(200);
    private TimeSpan _next = First;

    public void Reset() => _next = First;

    /// <summary>Waits; not less than what the server asked for.</summary>
    public async Task WaitAsync(TimeSpan? atLeast, CancellationToken cancellationToken)
    {
        var wait = _next * (1 - (Random.Shared.NextDouble() / 2));
        _next = _next * 2 < longest ? _next * 2 : longest;
        await Task.Delay(atLeast > wait ? atLeast.Value : wait, time, cancellationToken);
    }
}
