using TaskQueue.Http.Errors;

namespace TaskQueue.WebConsole.Overview;

/// <summary>The open streams of the overview in this process: few for each tenant, and one frame for all operators.</summary>
internal sealed class OverviewStreams
{
    /// <summary>Most streams of a tenant; a browser's tab needs one.</summary>
    internal const int MaxOfTenant = 20;

    private static readonly TimeSpan Wait = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, int> _open = new(StringComparer.Ordinal);
    private OverviewDetails? _framed;
    private byte[] _frame = [];

    /// <summary>Counts a stream until the result is disposed.</summary>
    /// <exception cref="ApiException">429: the tenant has too many.</exception>
    public IDisposable Open(string? tenant)
    {
        var key = tenant ?? "";
        lock (_lock)
        {
            var open = _open.GetValueOrDefault(key);
            if (open >= MaxOfTenant)
                throw new ApiException(new ApiError(429, "too_many_streams",
                    $"{MaxOfTenant} overviews of this tenant are open at this process, which is the most; close one and try again")
                {
                    RetryAfter = Wait,
                });
            _open[key] = open + 1;
        }

        return new Stream(this, key);
    }

    /// <summary>The frame of an overview for operators, who all see the same: it is written once.</summary>
    public byte[] FrameOf(OverviewDetails overview, Func<OverviewDetails, byte[]> write)
    {
        lock (_lock)
        {
            if (!ReferenceEquals(_framed, overview))
                (_framed, _frame) = (overview, write(overview));
            return _frame;
        }
    }

    private void Close(string key)
    {
        lock (_lock)
        {
            if (--_open[key] == 0)
                _open.Remove(key);
        }
    }

    private sealed class Stream(OverviewStreams streams, string key) : IDisposable
    {
        private OverviewStreams? _streams = streams;

        public void Dispose() => Interlocked.Exchange(ref _streams, null)?.Close(key);
    }
}
