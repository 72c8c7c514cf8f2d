using System.Net;
using System.Net.Sockets;

namespace TaskQueue.Tests.Servers;

/// <summary>A proxy for a server on this machine; subclasses decide what happens to connections.</summary>
internal abstract class TcpProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;

    protected TcpProxy(int server)
    {
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _running = AcceptAsync(server);
    }

    public int Port { get; }

    protected CancellationToken Stop => _stop.Token;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    /// <summary>Serves one connection; both ends are closed when it returns.</summary>
    /// <param name="client">To the connected client.</param>
    /// <param name="server">To the server.</param>
    protected abstract Task PassAsync(NetworkStream client, NetworkStream server);

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
            await PassAsync(client.GetStream(), upstream.GetStream());
        }
    }
}
