namespace TaskQueue.Client;

/// <summary>When a worker last heard of its server, and what went wrong since.</summary>
internal sealed class ConnectionHealth(TimeProvider time)
{
    private readonly Lock _lock = new();
    private long _heardAt = time.GetTimestamp();
    private bool _rests;
    private string? _problem;
    private bool _isAway;

    /// <summary>For how long there was nothing; zero while a worker that has no room asks for nothing.</summary>
    /// <returns>Also what is wrong, and whether it is the server that is away: then a restart of the worker would not help.</returns>
    public (TimeSpan Silence, string Problem, bool IsAway) State
    {
        get
        {
            lock (_lock)
                return (_rests && _problem is null ? TimeSpan.Zero : time.GetElapsedTime(_heardAt), _problem
                    ?? "nothing comes back", _isAway);
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

    /// <summary>The worker asks for nothing until it wakes.</summary>
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
