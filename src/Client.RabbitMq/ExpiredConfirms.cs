namespace TaskQueue.Client;

/// <summary>
/// Sends that nobody waits for any more, because the broker did not confirm them. They stay inside the bus until it does, with the
/// memory of their messages, so there may be only a few.
/// </summary>
internal sealed class ExpiredConfirms(TimeProvider time)
{
    private const int Max = 16;

    /// <summary>After so long it is taken for one of a connection that is gone, which never ends.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(2);

    private readonly Queue<(Task Send, long At)> _sends = new();

    /// <summary>Whether nothing should be sent now.</summary>
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

    /// <summary>Waits until a send is confirmed; it goes on where this gives up.</summary>
    /// <exception cref="TimeoutException">It was not confirmed in time.</exception>
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
