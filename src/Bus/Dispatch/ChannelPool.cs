using System.Collections.Concurrent;
using RabbitMQ.Client;

namespace TaskQueue.Bus.Dispatch;

/// <summary>
/// The channels of exchanges: at most one each, and few in all. One that is needed takes the place of the one that has been idle longest.
/// </summary>
internal sealed class ChannelPool(TimeProvider time) : IDisposable
{
    /// <summary>A channel that is unused for so long is closed, unless its place is needed before.</summary>
    private static readonly TimeSpan MaxIdle = TimeSpan.FromMinutes(1);

    /// <summary>Maximum wait for the broker to close a channel; it counts for the broker until then.</summary>
    private static readonly TimeSpan MaxClosing = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan CloseEvery = TimeSpan.FromSeconds(10);

    private static readonly CreateChannelOptions Confirmed = new(publisherConfirmationsEnabled: true,
        publisherConfirmationTrackingEnabled: true);

    private readonly ConcurrentDictionary<string, ExchangeChannel> _channels = new(StringComparer.Ordinal);
    private readonly ChannelPermits _permits = new();
    private long _closedAt = time.GetTimestamp();

    /// <summary>Sets how many channels may be open, when a connection was opened.</summary>
    public void SetMax(int max) => _permits.SetMax(max);

    public void Dispose()
    {
        foreach (var own in _channels.Values)
            own.Dispose();
    }

    /// <summary>Waits for the turn at an exchange.</summary>
    public async Task<ExchangeChannel> EnterAsync(string exchange)
    {
        while (true)
        {
            var own = _channels.GetOrAdd(exchange, static _ => new ExchangeChannel());
            await own.Turn.WaitAsync();
            if (!own.IsGone)
                return own;
            own.Turn.Release();
        }
    }

    /// <summary>Ends the turn.</summary>
    public void Leave(ExchangeChannel own)
    {
        own.UsedAt = time.GetTimestamp();
        own.Turn.Release();
        if (_permits.AreWanted) // whoever waits found no idle channel before this one was
            MakeRoom();
        CloseIdle();
    }

    /// <summary>Opens the channel of an exchange, once there is room for it.</summary>
    public async Task OpenAsync(ExchangeChannel own, IConnection connection)
    {
        Close(own); // of an earlier connection
        var permit = _permits.TakeAsync();
        if (!permit.IsCompleted)
            MakeRoom();
        await permit;
        try
        {
            own.Channel = await connection.CreateChannelAsync(Confirmed);
        }
        catch
        {
            _permits.Return();
            throw;
        }
    }

    /// <summary>Closes the channel of an exchange; by the holder of its turn.</summary>
    public void Close(ExchangeChannel own)
    {
        if (own.Channel is { } channel)
            _ = CloseAsync(channel);
        own.Channel = null;
    }

    private async Task CloseAsync(IChannel channel)
    {
        await AbandonAsync(channel).WaitAsync(MaxClosing, time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _permits.Return();
    }

    private static async Task AbandonAsync(IChannel channel)
    {
        await channel.AbortAsync();
        await channel.DisposeAsync();
    }

    private void MakeRoom()
    {
        foreach (var own in _channels.Values.Where(c => c.Channel is not null).OrderBy(c => c.UsedAt))
        {
            if (!own.Turn.Wait(0))
                continue;
            var wasOpen = own.Channel is not null;
            Close(own);
            own.Turn.Release();
            if (wasOpen)
                return;
        }
    }

    private void CloseIdle()
    {
        if (time.GetElapsedTime(Interlocked.Read(ref _closedAt)) < CloseEvery)
            return;
        Interlocked.Exchange(ref _closedAt, time.GetTimestamp());
        foreach (var (exchange, own) in _channels)
        {
            if (!own.Turn.Wait(0))
                continue;
            if (time.GetElapsedTime(own.UsedAt) > MaxIdle)
            {
                own.IsGone = true;
                _channels.TryRemove(exchange, out _);
                Close(own);
            }

            own.Turn.Release();
        }
    }
}
