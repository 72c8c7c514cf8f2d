using System.Net.Sockets;

namespace TaskQueue.Tests.Servers;

/// <summary>A proxy that delays what a server sends, or blocks everything while every connection stays open.</summary>
internal sealed class SlowProxy(int server) : TcpProxy(server)
{
    private volatile TaskCompletionSource _open = Opened();
    private long _delayTicks;

    /// <summary>The delay of everything that the server sends.</summary>
    public TimeSpan Delay
    {
        get => new(Interlocked.Read(ref _delayTicks));
        set => Interlocked.Exchange(ref _delayTicks, value.Ticks);
    }

    /// <summary>From now on it blocks everything.</summary>
    public void Silence() => _open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Resume() => _open.TrySetResult();

    protected override Task PassAsync(NetworkStream client, NetworkStream server) =>
        Task.WhenAny(PumpAsync(client, server, slow: false), PumpAsync(server, client, slow: true));

    private static TaskCompletionSource Opened()
    {
        var open = new TaskCompletionSource();
        open.SetResult();
        return open;
    }

    private async Task PumpAsync(NetworkStream from, NetworkStream to, bool slow)
    {
        var buffer = new byte[32 * 1024];
        while (await from.ReadAsync(buffer, Stop) is > 0 and var read)
        {
            if (slow && Delay > TimeSpan.Zero)
                await Task.Delay(Delay, Stop);
            await _open.Task.WaitAsync(Stop);
            await to.WriteAsync(buffer.AsMemory(0, read), Stop);
        }
    }
}
