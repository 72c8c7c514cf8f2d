using System.Net;

namespace TaskQueue.Engine.Callbacks;

/// <summary>Where callbacks may go. Names are looked up when they are sent, not when they are submitted.</summary>
public static class CallbackRules
{
    private const int LongestUrl = 2048;

    /// <summary>What is wrong with the URL of a callback and what to change, or null.</summary>
    public static string? Check(string url, WebhookOptions options)
    {
        ArgumentNullException.ThrowIfNull(url);
        ArgumentNullException.ThrowIfNull(options);
        if (url.Length > LongestUrl || !IsText(url) || !Uri.TryCreate(url, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https") || uri.Host.Length == 0 || uri.UserInfo.Length > 0)
            return $"callback_url must be an http or https URL of at most {LongestUrl} characters, without user and password";
        var host = uri.IdnHost.TrimEnd('.').ToLowerInvariant();
        if (options.AllowedHosts.Count > 0 && !options.AllowedHosts.Any(allowed => Matches(host, allowed)))
            return $"callback_url must not lead to {host}; the operator can allow it with TaskQueue:Webhooks:AllowedHosts";
        var isHere = host is "localhost" || host.EndsWith(".localhost", StringComparison.Ordinal);
        return !options.AllowPrivateNetworks && (isHere || (IPAddress.TryParse(host, out var address) && !PublicAddresses.Contain(address)))
            ? "callback_url must not lie in a private network; the operator can allow it with TaskQueue:Webhooks:AllowPrivateNetworks"
            : null;
    }

    /// <summary>
    /// Host and port as they are written: what tries are counted by. The claim of PostgreSQL takes the same part, so this is no
    /// parser; a URL that is written in another way is counted apart.
    /// </summary>
    public static string HostOf(string url)
    {
        ArgumentNullException.ThrowIfNull(url);
        return url.Split('/', 4) is [_, _, var host, ..] ? host : "";
    }

    /// <summary>No database and no receiver should get anything else: PostgreSQL stores neither NUL nor half of a surrogate pair.</summary>
    private static bool IsText(string url) => !url.Any(c => char.IsControl(c) || char.IsWhiteSpace(c) || char.IsSurrogate(c));

    private static bool Matches(string host, string allowed) =>
        allowed.StartsWith("*.", StringComparison.Ordinal)
            ? host.EndsWith(allowed[1..], StringComparison.OrdinalIgnoreCase)
            : host.Equals(allowed.Trim('[', ']'), StringComparison.OrdinalIgnoreCase);
}
