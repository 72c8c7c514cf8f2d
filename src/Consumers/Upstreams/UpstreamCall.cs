using TaskQueue.Engine.Tasks;

namespace TaskQueue.Consumers.Upstreams;

/// <summary>
/// The tries of one request. Each is made at the upstream that claimed the task or, if that takes no request for the model now or has just
/// failed, at another one that serves the task; in a slot of the upstream that it is made at.
/// </summary>
internal sealed class UpstreamCall : IDisposable
{
    private readonly string? _endpoint;
    private readonly Upstream[] _candidates; // its own first
    private readonly HashSet<Upstream> _failed = []; // since the last retry that counts
    private Upstream? _slot; // whose slot it has
    private bool _isAway;

    /// <param name="own">The upstream that claimed the task; it has a URL for the request.</param>
    /// <param name="task">The task.</param>
    /// <param name="request">The request to it.</param>
    /// <param name="note">Tells what the task waits for.</param>
    public UpstreamCall(Upstream own, TaskState task, OutgoingRequest request, WaitNote note)
    {
        (Own, Upstream, Request, Note, Model) = (own, own, request, note, request.FindModel());
        _endpoint = task.Name;
        _candidates = [own, .. own.Others.Where(o => o.CanServe(task, Model))];
        Pace = own.PaceOf(Model);
    }

    /// <summary>The upstream that claimed the task.</summary>
    public Upstream Own { get; }

    /// <summary>The upstream of this try.</summary>
    public Upstream Upstream { get; private set; }

    /// <summary>The request to it.</summary>
    public OutgoingRequest Request { get; private set; }

    /// <summary>Tells what the task waits for.</summary>
    public WaitNote Note { get; }

    /// <summary>The model that it names, or null.</summary>
    public string? Model { get; }

    /// <summary>The pace of its model there.</summary>
    public RequestPace Pace { get; private set; }

    public PaceTurn ServerTurn { get; set; }

    public PaceTurn Turn { get; set; }

    /// <summary>Retries that count.</summary>
    public int Retries { get; set; }

    /// <summary>Whether another upstream could ever take it.</summary>
    public bool HasOthers => _candidates.Length > 1;

    /// <summary>Whether another upstream would be chosen now.</summary>
    public bool CanMove => Choose() != Upstream;

    /// <summary>Chooses the upstream of the next try, and takes a slot there.</summary>
    /// <returns>False: the upstream that was chosen has no free slot, and no caller waits.</returns>
    public async Task<bool> EnterAsync(CancellationToken cancellationToken)
    {
        while (Choose() is var next && next != _slot) // looks again after a wait
        {
            Leave();
            if (next != Upstream)
                Move(next);
            if (next != Own && !(_isAway = Own.TryGoAway(isLimited: !Request.IsOnline)))
                return false;
            var hasSlot = next == Own || Request.IsOnline ? await next.Slots.EnterAsync(Upstream.LongestHold, cancellationToken)
                : next.Slots.TryEnter();
            if (hasSlot)
                _slot = next;
            else if (next != Own && !Request.IsOnline)
                return false;
        }

        return true;
    }

    /// <summary>The upstream failed, which says nothing about the others.</summary>
    /// <returns>Whether another one is tried at once. Otherwise all have been tried, and may be again.</returns>
    public bool Failed()
    {
        _failed.Add(Upstream);
        if (Open().Any(u => u.Slots.Free > 0))
            return true;
        _failed.Clear();
        return false;
    }

    /// <summary>Gives its slot back.</summary>
    public void Leave()
    {
        _slot?.Slots.Leave();
        _slot = null;
        if (_isAway)
            Own.ComeBack();
        _isAway = false;
    }

    public void Dispose() => Leave();

    /// <summary>
    /// Its own upstream, unless that is closed or failed; another one; a fallback; or, if all of them are closed, the one that opens first.
    /// </summary>
    private Upstream Choose()
    {
        var open = Open().FirstOrDefault();
        if (open is null && _failed.Count > 0)
        {
            _failed.Clear();
            open = Open().FirstOrDefault();
        }

        return open ?? _candidates.MinBy(u => u.ClosedFor(Model))!;
    }

    private IEnumerable<Upstream> Open() => _candidates.Where(u => !_failed.Contains(u) && u.ClosedFor(Model) <= TimeSpan.Zero)
        .OrderBy(u => u.Options.IsFallback).ThenBy(u => u != Own).ThenBy(u => u != _slot).ThenByDescending(u => u.Slots.Free);

    private void Move(Upstream upstream)
    {
        Note.Over();
        Upstream = upstream;
        Request = Request with { Url = upstream.UrlOf(_endpoint)!, Key = upstream.Options.ApiKey };
        Pace = upstream.PaceOf(Model);
    }
}
