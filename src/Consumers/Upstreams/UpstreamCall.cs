using TaskQueue.Engine.Tasks;

namespace TaskQueue.Consumers.Upstreams;

/// <summary>
/// The tries of one request. Each is made at the upstream that claimed the task or, if that pauses for the model or has just failed, at
/// another one that serves the task; in a slot of the upstream that it is made at.
/// </summary>
internal sealed class UpstreamCall : IDisposable
{
    private readonly string? _endpoint;
    private readonly Upstream[] _candidates; // its own first
    private readonly HashSet<Upstream> _failed = [];
    private Upstream? _slot; // whose slot it has

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
    /// <param name="patience">How long it waits for a slot of another upstream, until it looks whether there is a better one.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False: no slot was free, and no caller waits.</returns>
    public async Task<bool> EnterAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        while (Choose() is var next && next != _slot) // after the wait for a slot the upstream may pause
        {
            Dispose();
            if (next != Upstream)
                Move(next);
            if (await next.EnterAsync(isGuest: next != Own, patience, cancellationToken))
                _slot = next;
            else if (!Request.IsOnline && !CanMove)
                return false;
        }

        return true;
    }

    /// <summary>The upstream failed, which says nothing about the others.</summary>
    /// <returns>Whether one is left that could answer now. Otherwise all may be tried again.</returns>
    public bool Failed()
    {
        _failed.Add(Upstream);
        if (_candidates.Any(u => !_failed.Contains(u) && u.PauseOf(Model) <= TimeSpan.Zero))
            return true;
        _failed.Clear();
        return false;
    }

    /// <summary>Gives its slot back.</summary>
    public void Dispose()
    {
        _slot?.Leave(isGuest: _slot != Own);
        _slot = null;
    }

    /// <summary>
    /// Its own upstream, unless that pauses or failed; another one; a fallback; or, if all of them pause, the one that continues first.
    /// </summary>
    private Upstream Choose()
    {
        var open = _candidates.Where(u => !_failed.Contains(u)).ToList();
        return open.Where(u => u.PauseOf(Model) <= TimeSpan.Zero).OrderBy(u => u != Own).ThenBy(u => u.Options.IsFallback)
                .ThenBy(u => u != _slot).ThenByDescending(u => u.FreeSlots).FirstOrDefault()
            ?? open.MinBy(u => u.PauseOf(Model))!;
    }

    private void Move(Upstream upstream)
    {
        Upstream = upstream;
        Request = Request with { Url = upstream.UrlOf(_endpoint)!, Key = upstream.Options.ApiKey };
        Pace = upstream.PaceOf(Model);
    }
}
