namespace TaskQueue.Client;

/// <summary>Tracks when a worker last heard from its server, and the last problem since.</summary>
internal sealed class ConnectionHealth(TimeProvider time)
{
    private readonly Lock _lock = new();
    private long _heardAt = time.GetTimestamp();
    private bool _rests;
    private string? _problem;
    private bool _isAway;

    /// <summary>Time since the server last answered; zero while a worker without free capacity sends no claims.</summary>
    /// <returns>Also the problem, and whether the server is away: then restarting the worker would not help.</returns>
    public (TimeSpan Silence, string Problem, bool IsAway) State
    {
        get
        {
            lock (_lock)
                return (_rests && _problem is null ? TimeSpan.Zero : time.GetElapsedTime(_heardAt),
                    _problem ?? "no response", _isAway);
        }
    }

    public bool Rests
    {
        get
        {
            lock (_lock)
                return _rests;
        }
    }

    public bool HasHeardSince(long timestamp)
    {
        lock (_lock)
            return _heardAt >= timestamp;
    }

    /// <summary>The server answered.</summary>
    public void Heard()
    {
        lock (_lock)
            (_heardAt, _problem, _isAway) = (time.GetTimestamp(), null, false);
    }

    public void Failed(string problem, bool isAway)
    {
        lock (_lock)
            (_problem, _isAway) = (problem, isAway);
    }

    /// <summary>The worker sends no claims until <see cref="Wake"/>.</summary>
    public void Rest()
    {
        lock (_lock)
            _rests = true;
    }

    public void Wake()
    {
        lock (_lock)
        {
            if (_rests && _problem is null)
                _heardAt = time.GetTimestamp();
            _rests = false;
        }
    }
}
