using System.Net;
using System.Net.Sockets;

namespace TaskQueue.Engine.Callbacks;

/// <summary>
/// Addresses of the public Internet: those that the registries of RFC 6890 do not reserve and that do not embed a reserved one.
/// </summary>
public static class PublicAddresses
{
    /// <summary>
    /// The allocated part of IPv6. It excludes ::/128, ::1, IPv4-compatible addresses, the local NAT64 of RFC 8215 (64:ff9b:1::/48),
    /// discard-only 100::/64 (RFC 6666), unique local fc00::/7 (RFC 4193), fe80::/10, fec0::/10 and ff00::/8.
    /// </summary>
    private static readonly IPNetwork Given = IPNetwork.Parse("2000::/3");

    private static readonly IPNetwork Nat64 = IPNetwork.Parse("64:ff9b::/96"), SixToFour = IPNetwork.Parse("2002::/16");

    /// <summary>Reserved ranges, and addresses at which clouds serve their machines.</summary>
    private static readonly IPNetwork[] Special = Parse(
        "0.0.0.0/8", // this network
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", // private (RFC 1918)
        "100.64.0.0/10", // carriers (RFC 6598); Alibaba's metadata
        "127.0.0.0/8", // this machine
        "169.254.0.0/16", // link-local (RFC 3927); metadata of most clouds
        "192.0.0.0/24", // protocol assignments (RFC 6890); Oracle's metadata
        "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", // documentation (RFC 5737)
        "192.31.196.0/24", "192.175.48.0/24", // AS112 (RFC 7535, RFC 7534)
        "192.52.193.0/24", // AMT (RFC 7450)
        "192.88.99.0/24", // 6to4 relays (RFC 7526)
        "198.18.0.0/15", // benchmarks (RFC 2544)
        "224.0.0.0/4", "240.0.0.0/4", // multicast, reserved and broadcast
        "168.63.129.16/32", // Azure's host
        "2001::/23", // protocol assignments: Teredo, benchmarks, ORCHID
        "2001:db8::/32", "3fff::/20", // documentation (RFC 3849, RFC 9637)
        "2620:4f:8000::/48"); // AS112

    /// <summary>
    /// Never receivers, in any network: metadata services with machine credentials, link-local neighbours, and multicast.
    /// </summary>
    private static readonly IPNetwork[] Never = Parse(
        "169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32", "224.0.0.0/4", "240.0.0.0/4",
        "fe80::/10", "fec0::/10", "ff00::/8", "fd00:ec2::/32", "fd20:ce::254/128", "fd00:c1::a9fe:a9fe/128");

    /// <summary>Whether an address is public; also checks an IPv4 address embedded in an IPv6 address.</summary>
    public static bool Contain(IPAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        if (address.AddressFamily == AddressFamily.InterNetwork)
            return !IsIn(Special, address);
        if (Embedded(address) is { } inner && !Contain(inner))
            return false;
        return address.IsIPv4MappedToIPv6 || Nat64.Contains(address)
            || (Given.Contains(address) && address.ScopeId == 0 && !IsIn(Special, address));
    }

    /// <summary>Whether callbacks must not go to an address even if private networks are allowed.</summary>
    public static bool IsNeverAReceiver(IPAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        return (address.AddressFamily == AddressFamily.InterNetworkV6 && Embedded(address) is { } inner && IsIn(Never, inner))
            || IsIn(Never, address);
    }

    /// <summary>The IPv4 address that packets to an IPv6 address may reach: mapped, compatible, NAT64, 6to4 and ISATAP.</summary>
    private static IPAddress? Embedded(IPAddress address)
    {
        var bytes = address.GetAddressBytes();
        if (address.IsIPv4MappedToIPv6 || Nat64.Contains(address) || !bytes.AsSpan(0, 12).ContainsAnyExcept((byte)0))
            return new IPAddress(bytes.AsSpan(12));
        if (SixToFour.Contains(address))
            return new IPAddress(bytes.AsSpan(2, 4));
        return bytes is [_, _, _, _, _, _, _, _, 0 or 2, 0, 0x5e, 0xfe, ..] ? new IPAddress(bytes.AsSpan(12)) : null;
    }

    private static bool IsIn(IPNetwork[] networks, IPAddress address) => Array.Exists(networks, n => n.Contains(address));

    private static IPNetwork[] Parse(params string[] networks) => Array.ConvertAll(networks, n => IPNetwork.Parse(n));
}
