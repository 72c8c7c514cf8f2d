namespace TaskQueue.Consumers.Upstreams;

/// <summary>One configured upstream, and whether it wants to be left alone for a while.</summary>
internal sealed class Upstream
{
    private readonly TimeProvider _time;
    private readonly Dictionary<string, Uri> _urls;
    private long _pausedUntil = long.MinValue / 2; // a timestamp

    /// <param name="options">The upstream.</param>
    /// <param name="all">All that are configured: those of one server serve each other's endpoints, where they share a queue.</param>
    /// <param name="time">The clock.</param>
    public Upstream(UpstreamOptions options, IEnumerable<UpstreamOptions> all, TimeProvider time)
    {
        _time = time;
        Options = options;
        _urls = all.Where(u => u.BaseUrl == options.BaseUrl).Select(u => u.Endpoint).Distinct(StringComparer.Ordinal)
            .ToDictionary(e => e, e => Join(new Uri(options.BaseUrl), e), StringComparer.Ordinal);
    }

    public UpstreamOptions Options { get; }

    /// <summary>Where a task's requests go; null where nobody said that this server has such an endpoint.</summary>
    /// <param name="endpoint">As the submitter named it, or null.</param>
    public Uri? UrlOf(string? endpoint) => _urls.GetValueOrDefault(endpoint ?? Options.Endpoint);

    /// <summary>Waits until the upstream wants to be asked again.</summary>
    public async Task ReadyAsync(CancellationToken cancellationToken)
    {
        while (_time.GetElapsedTime(_time.GetTimestamp(), Interlocked.Read(ref _pausedUntil)) is var wait && wait > TimeSpan.Zero)
            await Task.Delay(wait, _time, cancellationToken);
    }

    /// <summary>The upstream does not want to be asked for so long.</summary>
    public void Pause(TimeSpan wait)
    {
        var until = _time.GetTimestamp() + (long)(wait.TotalSeconds * _time.TimestampFrequency);
        for (var known = Interlocked.Read(ref _pausedUntil); known < until;)
        {
            var found = Interlocked.CompareExchange(ref _pausedUntil, until, known);
            if (found == known)
                return;
            known = found;
        }
    }

    /// <summary>
    /// The base URL with the endpoint behind it; the segments with which the one ends and the other begins are written once:
    /// <c>http://host/v1</c> and <c>/v1/chat/completions</c> are <c>http://host/v1/chat/completions</c>.
    /// </summary>
    public static Uri Join(Uri baseUrl, string endpoint)
    {
        var path = baseUrl.AbsolutePath.TrimEnd('/');
        for (var i = 0; i < path.Length; i++)
        {
            if (path[i] == '/' && $"{endpoint}/".StartsWith($"{path[i..]}/", StringComparison.Ordinal))
            {
                path = path[..i];
                break;
            }
        }

        return new UriBuilder(baseUrl) { Path = path + endpoint }.Uri;
    }
}
