using System.Globalization;
using System.Net;

namespace TaskQueue.Engine.Callbacks;

/// <summary>The receiver of a URL: scheme, host and port in canonical form.</summary>
public static class CallbackOrigin
{
    /// <summary>Maximum length of a stored origin.</summary>
    public const int MaxLength = 300;

    private static readonly IdnMapping Idn = new();

    /// <summary>The origin, such as <c>https://hooks.example.com:443</c>; empty if the text is no http or https URL.</summary>
    public static string Of(string url) =>
        Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && HostOf(uri) is { } host
            && $"{uri.Scheme}://{(host.Contains(':', StringComparison.Ordinal) ? $"[{host}]" : host)}:{uri.Port}"
                is { Length: <= MaxLength } origin
            ? origin
            : "";

    /// <summary>
    /// The host in lower case, in ASCII and without a trailing dot; an address in its shortest form, without brackets. Null if a name has
    /// no ASCII form.
    /// </summary>
    public static string? HostOf(Uri uri)
    {
        ArgumentNullException.ThrowIfNull(uri);
        var host = uri.Host.Trim('[', ']').TrimEnd('.').ToLowerInvariant();
        if (IPAddress.TryParse(host, out var address))
            return (address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address).ToString();
        try
        {
            return host.All(char.IsAscii) ? host : Idn.GetAscii(host).ToLowerInvariant();
        }
        catch (ArgumentException)
        {
            return null;
        }
    }
}
