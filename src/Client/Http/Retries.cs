namespace TaskQueue.Client.Http;

/// <summary>Retries transient failures of idempotent requests.</summary>
internal static class Retries
{
    private const int Tries = 5;
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(200);

    /// <param name="send">Sends the request; receives the number of the try, from 1.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellationToken">Stops retrying.</param>
    public static async Task<T> RunAsync<T>(Func<int, Task<T>> send, TimeProvider time, CancellationToken cancellationToken)
    {
        var pause = FirstPause;
        for (var i = 1; ; i++)
        {
            try
            {
                return await send(i);
            }
            catch (TaskQueueException fault) when (fault.IsTransient && i < Tries)
            {
                await Task.Delay(fault.RetryAfter is { } wish && wish > pause ? wish : pause, time, cancellationToken);
                pause *= 2;
            }
        }
    }
}
