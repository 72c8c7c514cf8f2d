namespace TaskQueue.Client;

/// <summary>
/// Tracks sends abandoned because the broker did not confirm them in time. The bus keeps them and their messages in memory until
/// the confirm arrives, so their number is bounded.
/// </summary>
internal sealed class ExpiredConfirms(TimeProvider time)
{
    private const int Max = 16;

    /// <summary>After this time a send is assumed to belong to a dead connection, where it never completes.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(2);

    private readonly Queue<(Task Send, long At)> _sends = new();

    /// <summary>Whether the bound is reached and sends must be refused.</summary>
    public bool AreTooMany
    {
        get
        {
            lock (_sends)
            {
                while (_sends.TryPeek(out var first) && (first.Send.IsCompleted || time.GetElapsedTime(first.At) > Longest))
                    _sends.Dequeue();
                return _sends.Count >= Max;
            }
        }
    }

    /// <summary>Waits until a send is confirmed. After a timeout the send itself continues.</summary>
    /// <exception cref="TimeoutException">The broker did not confirm in time.</exception>
    public async Task WaitAsync(Task send, TimeSpan patience, CancellationToken cancellationToken)
    {
        try
        {
            await send.WaitAsync(patience, time, cancellationToken);
        }
        catch (TimeoutException)
        {
            lock (_sends)
                _sends.Enqueue((send, time.GetTimestamp()));
            throw;
        }
    }
}
