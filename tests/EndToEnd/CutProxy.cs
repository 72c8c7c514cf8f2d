using System.Net.Sockets;
using TaskQueue.Tests.Servers;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>
/// A proxy that forwards requests and drops the first responses: the server handled them, and the client never learns.
/// </summary>
internal sealed class CutProxy(Uri server, int cuts) : TcpProxy(server.Port)
{
    private int _cuts = cuts;

    public Uri Address => new($"http://127.0.0.1:{Port}");

    /// <summary>Number of responses still to drop.</summary>
    public int Left => Volatile.Read(ref _cuts);

    protected override async Task PassAsync(NetworkStream client, NetworkStream server)
    {
        var sending = client.CopyToAsync(server, Stop);
        if (Interlocked.Decrement(ref _cuts) >= 0)
            _ = await server.ReadAsync(new byte[1], Stop); // it responds, so it is done
        else
            await server.CopyToAsync(client, Stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        client.Close();
        server.Close();
        await sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }
}
