using RabbitMQ.Client;

namespace TaskQueue.Bus.Dispatch;

/// <summary>The channel of one exchange; used by the holder of its turn.</summary>
internal sealed class ExchangeChannel : IDisposable
{
    public SemaphoreSlim Turn { get; } = new(1);

    public IChannel? Channel { get; set; }

    public long UsedAt { get; set; }

    /// <summary>Whether it was removed; another one replaces it.</summary>
    public bool IsGone { get; set; }

    public void Dispose() => Turn.Dispose();
}
