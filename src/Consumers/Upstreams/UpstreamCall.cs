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

    /// <summary>Whether it has a turn with the server of this try that no request has used.</summary>
    public bool HasServerTurn { get; set; }

    /// <summary>Whether another upstream would be chosen now.</summary>
    public bool CanMove => Choose() != Upstream;

    /// <summary>Chooses the upstream of the next try, and takes a slot there.</summary>
    /// <returns>False: the upstream that was chosen has no free slot, and the task must not wait for one here.</returns>
    public async Task<bool> EnterAsync(CancellationToken cancellationToken)
    {
        var mustLeave = !Request.IsOnline || Own.HasModels; // which a wait would hold up
        while (Choose() is var next && next != _slot) // looks again after a wait
        {
            Leave();
            var isGuest = next != Own;
            if (isGuest && !(_isAway = Own.TryGoAway(isLimited: mustLeave, Request.IsOnline)))
                return false;
            if (next.Slots.TryEnter(isGuest)
                || ((!isGuest || Request.IsOnline) && await next.Slots.EnterAsync(isGuest, Upstream.LongestHold, cancellationToken)))
            {
                Move(next);
            }
            else if (isGuest && mustLeave)
            {
                Leave();
                return false;
            }
        }

        return true;
    }

    /// <summary>After a failure, which says nothing about the others, takes a slot of one that has not failed yet.</summary>
    /// <returns>False: none takes the request now, so a retry counts, and all may be tried again.</returns>
    public bool TryNext()
    {
        var isFirst = _failed.Add(Upstream);
        Leave();
        if (isFirst && Open().FirstOrDefault(u => !_failed.Contains(u)) is { } next
            && (next == Own || (_isAway = Own.TryGoAway(isLimited: Own.HasModels, Request.IsOnline))))
        {
            if (next.Slots.TryEnter(isGuest: next != Own))
            {
                Move(next);
                return true;
            }

            Leave();
        }

        TryAllAgain();
        return false;
    }

    /// <summary>A retry counts: whatever has failed may be tried again.</summary>
    public void TryAllAgain() => _failed.Clear();

    /// <summary>Gives its slot back.</summary>
    public void Leave()
    {
        _slot?.Slots.Leave(isGuest: _slot != Own);
        _slot = null;
        if (_isAway)
            Own.ComeBack();
        _isAway = false;
    }

    public void Dispose() => Leave();

    /// <summary>The best of those that take the request now; or, if all of them are closed, the one that opens first.</summary>
    private Upstream Choose() =>
        HasOthers ? Open().FirstOrDefault() ?? _candidates.MinBy(u => u.ClosedFor(Model))! : Own;

    /// <summary>
    /// Those that have not failed go first; then its own; then those with a free slot. A fallback is the last choice, unless it claimed the
    /// task; but a caller does not wait for a slot while it has a free one.
    /// </summary>
    private IEnumerable<Upstream> Open() => _candidates.Where(u => u.ClosedFor(Model) <= TimeSpan.Zero)
        .OrderBy(_failed.Contains).ThenBy(u => Request.IsOnline && IsFull(u)).ThenBy(u => u != Own && u.Options.IsFallback).ThenBy(IsFull)
        .ThenBy(u => u != Own).ThenBy(u => u != _slot).ThenByDescending(u => u.Slots.Free);

    private bool IsFull(Upstream upstream) => upstream != _slot && upstream.Slots.Free <= 0;

    /// <summary>The next try is made at an upstream whose slot it has.</summary>
    private void Move(Upstream upstream)
    {
        _slot = upstream;
        if (upstream == Upstream)
            return;
        Note.Over();
        (Upstream, HasServerTurn) = (upstream, false);
        Request = Request with { Url = upstream.UrlOf(_endpoint)!, Key = upstream.Options.ApiKey };
        Pace = upstream.PaceOf(Model);
    }
}
