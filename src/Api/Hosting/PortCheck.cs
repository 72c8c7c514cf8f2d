using System.Net;
using System.Net.Sockets;
using TaskQueue.Engine;

namespace TaskQueue.Api.Hosting;

/// <summary>Finds ports in use before anything is created or migrated.</summary>
internal static class PortCheck
{
    /// <exception cref="StartupException">Another program listens there, or two addresses are the same.</exception>
    public static void Demand(ListenAddresses addresses)
    {
        var mine = addresses.Each.Where(a => a.Binding.Port != 0).Select(a => (Address: a, Endpoints: EndpointsOf(a.Binding))).ToList();
        for (var i = 0; i < mine.Count; i++)
        {
            var (address, endpoints) = mine[i];
            var same = mine.Take(i).Where(other => other.Endpoints.Any(e => endpoints.Any(own => Collide(e, own)))).ToList();
            if (same.Count > 0)
                throw new StartupException($"{address.Url} cannot be used: {same[0].Address.Url} is the same address; remove one of them "
                    + $"({Setting(address)})");
        }

        if (mine.Find(m => m.Endpoints.Any(IsTaken)).Address is { } taken)
            throw new StartupException($"{taken.Url} cannot be used: the address is already in use by another program; stop it, or "
                + $"choose another port with {Setting(taken)}");
    }

    private static string Setting(ListenAddress address) => address.Key == "urls" ? "--urls" : address.Key;

    /// <summary>The web server listens on all addresses of both families for a name, and for the IPv6 address that means all.</summary>
    private static IPEndPoint[] EndpointsOf(BindingAddress binding) =>
        IPAddress.TryParse(binding.Host.Trim('[', ']'), out var ip) && !ip.Equals(IPAddress.IPv6Any) ? [new IPEndPoint(ip, binding.Port)]
        : binding.Host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
            ? [new IPEndPoint(IPAddress.Loopback, binding.Port), new IPEndPoint(IPAddress.IPv6Loopback, binding.Port)]
        : [new IPEndPoint(IPAddress.Any, binding.Port), new IPEndPoint(IPAddress.IPv6Any, binding.Port)];

    private static bool Collide(IPEndPoint one, IPEndPoint other) =>
        one.Port == other.Port && one.AddressFamily == other.AddressFamily
            && (one.Address.Equals(other.Address) || IsAny(one.Address) || IsAny(other.Address));

    private static bool IsAny(IPAddress address) => address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any);

    /// <summary>Any other problem is the web server's to report.</summary>
    private static bool IsTaken(IPEndPoint endpoint)
    {
        try
        {
            using var probe = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            if (endpoint.AddressFamily == AddressFamily.InterNetworkV6)
                probe.DualMode = false; // the other family has a probe of its own
            probe.Bind(endpoint);
            return false;
        }
        catch (SocketException fault)
        {
            return fault.SocketErrorCode == SocketError.AddressAlreadyInUse;
        }
    }
}
