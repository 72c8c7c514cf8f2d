using System.Net;
using System.Net.Sockets;

namespace TaskQueue.Engine.Callbacks;

/// <summary>Where callbacks may go. Names are looked up when they are sent, not when they are submitted.</summary>
public static class CallbackRules
{
    /// <summary>What is reserved, private or of this machine (RFC 6890 and its like).</summary>
    private static readonly IPNetwork[] Special =
    [
        .. new[]
        {
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
            "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
            "::/127", "100::/64", "2001::/23", "2001:db8::/32", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
        }.Select(n => IPNetwork.Parse(n)),
    ];

    private static readonly IPNetwork Nat64 = IPNetwork.Parse("64:ff9b::/96"), SixToFour = IPNetwork.Parse("2002::/16");

    /// <summary>What is wrong with the URL of a callback and what to change, or null.</summary>
    public static string? Check(string url, WebhookOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (!Uri.TryCreate(url, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https") || uri.Host.Length == 0 || uri.UserInfo.Length > 0)
            return "callback_url must be an http or https URL without user and password";
        var host = uri.IdnHost.TrimEnd('.');
        var isHere = host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || host.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase);
        return !options.AllowPrivateNetworks && (isHere || (IPAddress.TryParse(host, out var address) && !IsPublic(address)))
            ? "callback_url must not lie in a private network; the operator can allow it with TaskQueue:Webhooks:AllowPrivateNetworks"
            : null;
    }

    /// <summary>Whether an address is of the public Internet, in whichever form it is written.</summary>
    public static bool IsPublic(IPAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        var bytes = address.GetAddressBytes();
        if (address.AddressFamily == AddressFamily.InterNetworkV6)
        {
            if (Nat64.Contains(address))
                return IsPublic(new IPAddress(bytes.AsSpan(12)));
            if (SixToFour.Contains(address))
                return IsPublic(new IPAddress(bytes.AsSpan(2, 4)));
            if (bytes.AsSpan(0, 12).IndexOfAnyExcept((byte)0) < 0)
                return false; // an IPv4 address in the old form
        }

        return !Special.Any(n => n.Contains(address));
    }
}
