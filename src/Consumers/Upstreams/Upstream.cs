namespace TaskQueue.Consumers.Upstreams;

/// <summary>A configured upstream and its Retry-After pause.</summary>
internal sealed class Upstream
{
    private readonly TimeProvider _time;
    private readonly Dictionary<string, Uri> _urls;
    private long _pausedUntil = long.MinValue / 2; // a timestamp

    /// <param name="options">The upstream.</param>
    /// <param name="all">All configured upstreams: those on the same server that share a queue serve each other's endpoints.</param>
    /// <param name="time">The clock.</param>
    public Upstream(UpstreamOptions options, IEnumerable<UpstreamOptions> all, TimeProvider time)
    {
        _time = time;
        Options = options;
        _urls = all.Where(u => u.BaseUrl == options.BaseUrl).Select(u => u.Endpoint).Distinct(StringComparer.Ordinal)
            .ToDictionary(e => e, e => Join(new Uri(options.BaseUrl), e), StringComparer.Ordinal);
    }

    public UpstreamOptions Options { get; }

    /// <summary>URL for a task's requests; null if this server is not configured for the endpoint.</summary>
    /// <param name="endpoint">Endpoint named by the submitter, or null.</param>
    public Uri? UrlOf(string? endpoint) => _urls.GetValueOrDefault(endpoint ?? Options.Endpoint);

    /// <summary>Waits until the pause is over.</summary>
    public async Task ReadyAsync(CancellationToken cancellationToken)
    {
        while (_time.GetElapsedTime(_time.GetTimestamp(), Interlocked.Read(ref _pausedUntil)) is var wait && wait > TimeSpan.Zero)
            await Task.Delay(wait, _time, cancellationToken);
    }

    /// <summary>Pauses requests to the upstream.</summary>
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
    /// Appends the endpoint to the base URL; segments that end the one and begin the other appear once: <c>http://host/v1</c> and
    /// <c>/v1/chat/completions</c> become <c>http://host/v1/chat/completions</c>.
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
