using System.Net.Sockets;
using TaskQueue.Tests.Servers;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>
/// Stands before a server, passes requests on, and cuts the first answers off: the server did it, and the client never hears.
/// </summary>
internal sealed class CutProxy(Uri server, int cuts) : TcpProxy(server.Port)
{
    private int _cuts = cuts;

    public Uri Address => new($"http://127.0.0.1:{Port}");

    /// <summary>Answers that are still to be cut off.</summary>
    public int Left => Volatile.Read(ref _cuts);

    protected override async Task PassAsync(NetworkStream client, NetworkStream server)
    {
        var sending = client.CopyToAsync(server, Stop);
        if (Interlocked.Decrement(ref _cuts) >= 0)
            _ = await server.ReadAsync(new byte[1], Stop); // it answers, so it is done
        else
            await server.CopyToAsync(client, Stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        client.Close();
        server.Close();
        await sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }
}
