using System.Net;
using System.Net.Sockets;
using TaskQueue.Engine;

namespace TaskQueue.Api.Hosting;

/// <summary>Finds ports in use before anything is created or migrated.</summary>
internal static class PortCheck
{
    /// <exception cref="StartupException">Another program listens there.</exception>
    public static void Demand(ListenAddresses addresses)
    {
        foreach (var address in addresses.Both.Where(a => a.Binding.Port != 0))
        {
            if (EndpointsOf(address.Binding).Any(IsTaken))
                throw new StartupException($"{address.Url} cannot be used: the address is already in use by another program; stop it, or "
                    + $"choose another port with {(address.Key == "urls" ? "--urls" : address.Key)}");
        }
    }

    private static IEnumerable<IPEndPoint> EndpointsOf(BindingAddress binding) =>
        IPAddress.TryParse(binding.Host.Trim('[', ']'), out var ip) ? [new IPEndPoint(ip, binding.Port)]
        : binding.Host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
            ? [new IPEndPoint(IPAddress.Loopback, binding.Port), new IPEndPoint(IPAddress.IPv6Loopback, binding.Port)]
        : [new IPEndPoint(IPAddress.Any, binding.Port)];

    /// <summary>Any other problem is the web server's to report.</summary>
    private static bool IsTaken(IPEndPoint endpoint)
    {
        try
        {
            using var probe = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            probe.Bind(endpoint);
            return false;
        }
        catch (SocketException fault)
        {
            return fault.SocketErrorCode == SocketError.AddressAlreadyInUse;
        }
    }
}
