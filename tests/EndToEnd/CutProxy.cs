using System.Net;
using System.Net.Sockets;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Stands before a server, passes requests on, and cuts the first answers off: the server did it, and the client never hears.</summary>
internal sealed class CutProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;
    private int _cuts;

    public CutProxy(Uri server, int cuts)
    {
        _cuts = cuts;
        _listener.Start();
        Address = new Uri($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");
        _running = AcceptAsync(server);
    }

    public Uri Address { get; }

    /// <summary>Answers that are still to be cut off.</summary>
    public int Left => Volatile.Read(ref _cuts);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task AcceptAsync(Uri server)
    {
        var connections = new List<Task>();
        while (!_stop.IsCancellationRequested)
        {
            var client = await _listener.AcceptTcpClientAsync(_stop.Token);
            connections.Add(ServeAsync(client, server));
        }

        await Task.WhenAll(connections);
    }

    private async Task ServeAsync(TcpClient client, Uri server)
    {
        using (client)
        {
            using var upstream = new TcpClient();
            await upstream.ConnectAsync(server.Host, server.Port, _stop.Token);
            var (here, there) = (client.GetStream(), upstream.GetStream());
            var sending = here.CopyToAsync(there, _stop.Token);
            if (Interlocked.Decrement(ref _cuts) >= 0)
                _ = await there.ReadAsync(new byte[1], _stop.Token); // it answers, so it is done
            else
                await there.CopyToAsync(here, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            client.Close();
            upstream.Close();
            await sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
