using System.Globalization;
using System.Net;

namespace TaskQueue.Engine.Callbacks;

/// <summary>Which URLs may receive callbacks. Host names are resolved when callbacks are sent, not when they are submitted.</summary>
public static class CallbackRules
{
    private const int LongestUrl = 2048, LongestHost = 253;

    /// <summary>Names of this machine and of cloud metadata services that local resolvers know.</summary>
    private static readonly string[] LocalNames = ["localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"];

    private static readonly string[] MetadataNames = ["metadata.google.internal", "metadata.goog"];

    /// <summary>The validation error of a callback URL, with its remedy; or null.</summary>
    public static string? Check(string url, WebhookOptions options)
    {
        ArgumentNullException.ThrowIfNull(url);
        ArgumentNullException.ThrowIfNull(options);
        if (CheckText(url) is { } problem)
            return problem;
        var start = url.IndexOf("://", StringComparison.Ordinal) + 3;
        var end = url.IndexOfAny(['/', '?', '#'], start);
        var authority = end < 0 ? url[start..] : url[start..end];
        if (authority.Contains('@', StringComparison.Ordinal))
            return "callback_url must be without user and password; put a token into its path";
        if (CheckHost(RawHost(authority)) is { } unclear)
            return unclear;
        if (!Uri.TryCreate(url, UriKind.Absolute, out var uri)
            || uri.HostNameType is not (UriHostNameType.Dns or UriHostNameType.IPv4 or UriHostNameType.IPv6)
            || CallbackOrigin.HostOf(uri) is not { Length: > 0 and <= LongestHost } host)
            return "callback_url must be a URL with the name of a host, as in https://hooks.example.com/tasks";
        return uri.Port is < 1 or > ushort.MaxValue ? "callback_url must have a port of 1 to 65535" : CheckTarget(host, options);
    }

    private static string? CheckText(string url)
    {
        // Neither databases nor receivers can take anything else: PostgreSQL stores neither NUL nor half of a surrogate pair.
        if (url.Length > LongestUrl || url.Any(c => char.IsControl(c) || char.IsWhiteSpace(c) || char.IsSurrogate(c)))
            return $"callback_url must have at most {LongestUrl} characters, without spaces, control characters and surrogates; write "
                + "those percent-encoded";
        if (url.Contains('\\', StringComparison.Ordinal))
            return @"callback_url must not contain '\'; write '/' or %5C";
        return url.StartsWith("http://", StringComparison.OrdinalIgnoreCase)
            || url.StartsWith("https://", StringComparison.OrdinalIgnoreCase)
            ? null
            : "callback_url must be an absolute http or https URL, as in https://hooks.example.com/tasks";
    }

    /// <summary>The error of a host that programs may parse differently, or null.</summary>
    private static string? CheckHost(string raw)
    {
        if (raw.Contains('%', StringComparison.Ordinal))
            return "callback_url must have a host without percent-encoding and without a zone";
        if (raw.StartsWith('['))
            return null;
        var name = raw.EndsWith('.') ? raw[..^1] : raw;
        var labels = name.Split('.');
        if (labels.Any(label => label.Length == 0) || !name.All(IsOfHost))
            return "callback_url must have a host of letters, digits, '-' and '_' with single dots between; write an internationalized "
                + "name as xn--…";
        // If the last label is a number, some programs parse the name as an address: octal, hexadecimal, or with fewer parts.
        var isNumber = labels[^1].All(char.IsAsciiDigit) || labels[^1].StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        return isNumber && !(IPAddress.TryParse(raw, out var address) && address.ToString() == raw)
            ? "callback_url must have an IPv4 address of four decimal numbers, as in 192.0.2.1"
            : null;
    }

    private static string? CheckTarget(string host, WebhookOptions options)
    {
        if (options.AllowedHosts.Count > 0 && !options.AllowedHosts.Any(allowed => Matches(host, allowed)))
            return $"callback_url must not lead to {host}; the operator can allow it with TaskQueue:Webhooks:AllowedHosts";
        var address = IPAddress.TryParse(host, out var literal) ? literal : null;
        if (MetadataNames.Contains(host) || (address is not null && PublicAddresses.IsNeverAReceiver(address)))
            return "callback_url must not lead to a metadata service, or to a link-local or multicast address";
        var isHere = LocalNames.Contains(host) || host.EndsWith(".localhost", StringComparison.Ordinal);
        return !options.AllowPrivateNetworks && (isHere || (address is not null && !PublicAddresses.Contain(address)))
            ? "callback_url must not lie in a private network; the operator can allow it with TaskQueue:Webhooks:AllowPrivateNetworks"
            : null;
    }

    private static string RawHost(string authority) =>
        authority.StartsWith('[') ? authority[..(authority.IndexOf(']', StringComparison.Ordinal) + 1)] : authority.Split(':')[0];

    /// <summary>
    /// ASCII letters of names, and letters of other scripts except those that normalization turns into ASCII, such as full-width ones: they
    /// can denote different hosts in different programs.
    /// </summary>
    private static bool IsOfHost(char c) =>
        char.IsAscii(c) ? char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.'
        : !IsCompatible(c)
            && (char.IsLetter(c)
                || CharUnicodeInfo.GetUnicodeCategory(c) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark);

    private static bool IsCompatible(char c) =>
        c is '\u00AA' or '\u00BA' or '\u017F' or (>= '\u0132' and <= '\u0133') or (>= '\u013F' and <= '\u0140') or '\u0149'
            or (>= '\u01C4' and <= '\u01CC')
            or (>= '\u01F1' and <= '\u01F3') or (>= '\u02B0' and <= '\u02FF') or (>= '\u1D00' and <= '\u1DBF')
                or (>= '\u2000' and <= '\u3004')
            or (>= '\u3008' and <= '\u303F') or (>= '\u3200' and <= '\u33FF') or (>= '\uA700' and <= '\uA7FF')
            or (>= '\uAB30' and <= '\uAB6F')
                or (>= '\uE000');

    private static bool Matches(string host, string allowed) =>
        allowed.StartsWith("*.", StringComparison.Ordinal)
            ? host.EndsWith(allowed[1..], StringComparison.OrdinalIgnoreCase)
            : host.Equals(allowed.Trim('[', ']'), StringComparison.OrdinalIgnoreCase);
}
