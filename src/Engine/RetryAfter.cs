namespace TaskQueue.Engine;

/// <summary>How long the other side of an HTTP request wants to be left alone.</summary>
public static class RetryAfter
{
    /// <summary>A longer wait is cut to this.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(10);

    /// <summary>What the header Retry-After asks for, in seconds or as a date; null where it is absent or makes no sense.</summary>
    public static TimeSpan? Of(HttpResponseMessage response, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(response);
        var header = response.Headers.RetryAfter;
        if ((header?.Delta ?? header?.Date - now) is not { } wait)
            return null;
        return wait < TimeSpan.Zero ? TimeSpan.Zero : wait > Longest ? Longest : wait;
    }
}
