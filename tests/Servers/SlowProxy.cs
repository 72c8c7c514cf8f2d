using System.Net;
using System.Net.Sockets;

namespace TaskQueue.Tests.Servers;

/// <summary>Stands before a server and delays what it says; or lets nothing through at all while every connection stays open.</summary>
internal sealed class SlowProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;
    private volatile TaskCompletionSource _open = Opened();
    private long _delayTicks;

    public SlowProxy(int server)
    {
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _running = AcceptAsync(server);
    }

    public int Port { get; }

    /// <summary>How long everything that the server says is under way.</summary>
    public TimeSpan Delay
    {
        get => new(Interlocked.Read(ref _delayTicks));
        set => Interlocked.Exchange(ref _delayTicks, value.Ticks);
    }

    /// <summary>From now on nothing goes through.</summary>
    public void Silence() => _open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Resume() => _open.TrySetResult();

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private static TaskCompletionSource Opened()
    {
        var open = new TaskCompletionSource();
        open.SetResult();
        return open;
    }

    private async Task AcceptAsync(int server)
    {
        var connections = new List<Task>();
        while (!_stop.IsCancellationRequested)
        {
            var client = await _listener.AcceptTcpClientAsync(_stop.Token);
            connections.Add(ServeAsync(client, server).ContinueWith(_ => { }, TaskScheduler.Default));
        }

        await Task.WhenAll(connections);
    }

    private async Task ServeAsync(TcpClient client, int server)
    {
        using (client)
        {
            using var upstream = new TcpClient();
            client.NoDelay = upstream.NoDelay = true;
            await upstream.ConnectAsync(IPAddress.Loopback, server, _stop.Token);
            var (here, there) = (client.GetStream(), upstream.GetStream());
            await Task.WhenAny(PumpAsync(here, there, slow: false), PumpAsync(there, here, slow: true));
        }
    }

    private async Task PumpAsync(NetworkStream from, NetworkStream to, bool slow)
    {
        var buffer = new byte[32 * 1024];
        while (await from.ReadAsync(buffer, _stop.Token) is > 0 and var read)
        {
            if (slow && Delay > TimeSpan.Zero)
                await Task.Delay(Delay, _stop.Token);
            await _open.Task.WaitAsync(_stop.Token);
            await to.WriteAsync(buffer.AsMemory(0, read), _stop.Token);
        }
    }
}
