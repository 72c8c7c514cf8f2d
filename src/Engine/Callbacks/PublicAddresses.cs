using System.Net;
using System.Net.Sockets;

namespace TaskQueue.Engine.Callbacks;

/// <summary>The addresses of the public Internet.</summary>
public static class PublicAddresses
{
    /// <summary>All of IPv6 that is given out; the rest is local, special or of nobody.</summary>
    private static readonly IPNetwork Given = IPNetwork.Parse("2000::/3");

    private static readonly IPNetwork Nat64 = IPNetwork.Parse("64:ff9b::/96"), SixToFour = IPNetwork.Parse("2002::/16");

    /// <summary>What is reserved, private, of documents or of this machine (RFC 6890 and its like).</summary>
    private static readonly IPNetwork[] Special =
    [
        .. new[]
        {
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
            "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
            "2001::/23", "2001:db8::/32", "3fff::/20",
        }.Select(n => IPNetwork.Parse(n)),
    ];

    /// <summary>Whether an address is one of them; an IPv4 address also where an IPv6 address holds it.</summary>
    public static bool Contain(IPAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        if (address.IsIPv4MappedToIPv6)
            return Contain(address.MapToIPv4());
        if (address.AddressFamily == AddressFamily.InterNetwork)
            return !IsSpecial(address);
        var bytes = address.GetAddressBytes();
        if (Nat64.Contains(address))
            return Contain(new IPAddress(bytes.AsSpan(12)));
        if (SixToFour.Contains(address))
            return Contain(new IPAddress(bytes.AsSpan(2, 4)));
        return Given.Contains(address) && !IsSpecial(address);
    }

    private static bool IsSpecial(IPAddress address) => Special.Any(n => n.Contains(address));
}
