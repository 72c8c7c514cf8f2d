using System.Collections.Concurrent;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Consumers.Upstreams;

/// <summary>A configured upstream, the paces of its requests and their slots.</summary>
internal sealed class Upstream
{
    /// <summary>
    /// Longest wait in the process, where the slot is needed for other owners and models; who waits longer waits in the queue.
    /// </summary>
    public static readonly TimeSpan LongestHold = TimeSpan.FromSeconds(2);

    /// <summary>Models with a pace of their own; further ones share one.</summary>
    private const int MaxModels = 1000;

    /// <summary>Longest wait before the claim of a paused upstream is reconsidered.</summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(5);

    /// <summary>A model that nobody asked for during this time says nothing about the upstream.</summary>
    private static readonly TimeSpan Idle = TimeSpan.FromSeconds(60);

    /// <summary>
    /// Longest wait for a turn among the weights, or for a slot that a task of another upstream has: no signal tells of their ends.
    /// </summary>
    private static readonly TimeSpan LookAtOthers = TimeSpan.FromMilliseconds(100);

    /// <summary>Time between two tasks that come back from the queue to see whether another upstream has a free slot.</summary>
    private static readonly TimeSpan DetourInterval = TimeSpan.FromMilliseconds(10);

    /// <summary>Longest wait in the queue for that.</summary>
    private static readonly TimeSpan LongestDetour = TimeSpan.FromSeconds(60);

    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Uri> _urls;
    private readonly ConcurrentDictionary<string, Model> _models = new(StringComparer.Ordinal);
    private DateTimeOffset _detour;
    private int _away;

    /// <param name="options">The upstream.</param>
    /// <param name="all">All configured upstreams: those on the same server that share a queue serve each other's endpoints.</param>
    /// <param name="time">The clock.</param>
    public Upstream(UpstreamOptions options, IEnumerable<UpstreamOptions> all, TimeProvider time)
    {
        _time = time;
        Options = options;
        Server = new RequestPace(time);
        Concurrency = options.AdaptConcurrency ? new ConcurrencyLimit(options.MaxConcurrency, time) : null;
        Slots = new UpstreamSlots(options.MaxConcurrency, Concurrency, time);
        _urls = all.Where(u => u.BaseUrl == options.BaseUrl).Select(u => u.Endpoint).Distinct(StringComparer.Ordinal)
            .ToDictionary(e => e, e => Join(new Uri(options.BaseUrl), e), StringComparer.Ordinal);
    }

    public UpstreamOptions Options { get; }

    /// <summary>The pace of all requests: the server is away, or refused a request that names no model.</summary>
    public RequestPace Server { get; }

    /// <summary>The number of concurrent requests that is found; null: it is configured.</summary>
    public ConcurrencyLimit? Concurrency { get; }

    /// <summary>The slots of its requests.</summary>
    public UpstreamSlots Slots { get; }

    /// <summary>Shares of the upstreams that serve the same tasks; null: all have the same weight.</summary>
    public WeightedShares? Shares { get; private set; }

    /// <summary>Upstreams that serve the same endpoint, this one excluded; set by <see cref="Link"/>.</summary>
    public IReadOnlyList<Upstream> Others { get; private set; } = [];

    /// <summary>Whether several models are asked for, so that one must not hold up the others.</summary>
    public bool HasModels => _models.Count > 1 && _models.Where(m => !m.Value.IsIdle).Skip(1).Any();

    /// <summary>Whether no request would be sent now: the server pauses, or all of its models that are asked for do.</summary>
    public bool IsPaused => PauseLeft > TimeSpan.Zero;

    /// <summary>
    /// Upstreams with the same tasks know each other: one takes what another cannot run now. Different weights are kept in the shares.
    /// </summary>
    public static void Link(IReadOnlyList<Upstream> all, TimeProvider time)
    {
        foreach (var one in all)
            one.Others = [.. all.Where(other => other != one && other.Options.HasTasksOf(one.Options))];
        foreach (var one in all.Where(u => !u.Options.IsFallback))
        {
            Upstream[] same = [one, .. one.Others.Where(o => !o.Options.IsFallback && o.Options.HasTiersOf(one.Options))];
            if (one.Shares is not null || same.DistinctBy(u => u.Options.Weight).Count() == 1)
                continue;
            var shares = new WeightedShares(same, time);
            foreach (var upstream in same)
                upstream.Shares = shares;
        }
    }

    /// <summary>URL for a task's requests; null if this server is not configured for the endpoint.</summary>
    /// <param name="endpoint">Endpoint named by the submitter, or null.</param>
    public Uri? UrlOf(string? endpoint) => _urls.GetValueOrDefault(endpoint ?? Options.Endpoint);

    /// <summary>The pace of the requests to a model: servers limit each of their models.</summary>
    /// <param name="model">The model; null: the request names none.</param>
    public RequestPace PaceOf(string? model)
    {
        if (model is null)
            return Server;
        if (!_models.TryGetValue(model, out var known))
        {
            if (_models.Count >= MaxModels)
                Forget();
            known = _models.GetOrAdd(_models.Count < MaxModels ? model : "", _ => new Model(_time));
        }

        known.Ask();
        return known.Pace;
    }

    /// <summary>How long no request to a model is taken: see <see cref="RequestPace.ClosedFor"/>.</summary>
    /// <param name="model">The model; null: the request names none.</param>
    public TimeSpan ClosedFor(string? model)
    {
        var server = Server.ClosedFor(LongestHold);
        return model is not null && _models.TryGetValue(model, out var known) && known.Pace.ClosedFor(LongestHold) is var its
            && its > server ? its : server;
    }

    /// <summary>Whether it may take a task of another upstream, one of whose <see cref="Others"/> it is.</summary>
    /// <param name="task">The task.</param>
    /// <param name="model">The model that its request names, or null.</param>
    public bool CanServe(TaskState task, string? model) =>
        UrlOf(task.Name) is not null
        && (model is null || Options.Models.Count == 0 || Options.Models.Contains(model, StringComparer.Ordinal))
        && (Options.ServedTiers.Contains(task.Tier) || (Options.ServedTiers.Contains(BatchLanes.First) && Options.Queues.Count == 0
            && task.Queue == QueueRouter.UpstreamQueue(Options.Endpoint) && BatchLanes.Of(task.Queue).Any(l => l.Tier == task.Tier)));

    /// <summary>One of its tasks is to be sent by another upstream, and keeps others from being claimed meanwhile.</summary>
    /// <param name="isLimited">Whether half of its tasks must not be away already, or three quarters for a caller.</param>
    /// <param name="isOnline">Whether a caller waits.</param>
    /// <returns>Whether it may go; <see cref="ComeBack"/> ends that.</returns>
    public bool TryGoAway(bool isLimited, bool isOnline)
    {
        var all = Concurrency?.Current ?? Options.MaxConcurrency;
        if (Interlocked.Increment(ref _away) <= Math.Max(1, isOnline ? all * 3 / 4 : all / 2) || !isLimited)
            return true;
        Interlocked.Decrement(ref _away);
        return false;
    }

    /// <summary>The task is no longer away.</summary>
    public void ComeBack() => Interlocked.Decrement(ref _away);

    /// <summary>
    /// For how long a task waits in the queue that no other upstream has a slot for now. Each has a place of its own, but for those whose
    /// callers wait. While the upstream pauses as a whole, it does not claim the task again.
    /// </summary>
    public TimeSpan Detour(bool isOnline)
    {
        if (IsPaused)
            return TimeSpan.Zero;
        if (isOnline)
            return LongestHold;
        lock (_lock)
        {
            var now = _time.GetUtcNow();
            var (first, last) = (now + LongestHold, now + LongestDetour);
            var place = _detour < first ? first : _detour < last ? _detour : last;
            _detour = place + DetourInterval;
            return place - now;
        }
    }

    /// <summary>Waits until a claim is useful: a request could be sent, a fallback is needed, and its share allows it.</summary>
    public async Task ReadyAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var wait = PauseLeft;
            if (wait <= TimeSpan.Zero && Options.IsFallback && Others.Any(o => !o.Options.IsFallback && !o.IsPaused))
                wait = TimeSpan.FromSeconds(1);
            if (wait <= TimeSpan.Zero && Slots is { HasGuests: true, Free: <= 0 })
            {
                Shares?.Fills(this);
                wait = LookAtOthers;
            }

            if (wait > TimeSpan.Zero)
                await Task.Delay(wait < LookAgain ? wait : LookAgain, _time, cancellationToken);
            else if (Shares is { } shares && shares.IsAhead(this, out var changed))
                await changed.WaitAsync(LookAtOthers, _time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            else
                return;
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    /// <summary>A claim begins.</summary>
    /// <param name="room">Number of free slots.</param>
    /// <returns>How many tasks it may claim.</returns>
    public int BeginClaim(int room)
    {
        if (Slots.HasGuests)
            room = Math.Clamp(Slots.Free, 1, room);
        return Shares?.BeginClaim(this, room) ?? room;
    }

    /// <summary>A claim has ended with a number of tasks.</summary>
    public void EndClaim(int tasks) => Shares?.EndClaim(this, tasks);

    /// <summary>No slot is free.</summary>
    public void Fills() => Shares?.Fills(this);

    /// <summary>A task was put back to wait, although it had a slot.</summary>
    public void Defers() => Shares?.Defers(this);

    /// <summary>The server's pause; or that of the model that continues first, if all that are asked for pause.</summary>
    private TimeSpan PauseLeft
    {
        get
        {
            var pause = Server.Pause;
            if (pause > TimeSpan.Zero)
                return pause;
            TimeSpan? least = null;
            foreach (var (_, model) in _models)
            {
                if (!model.IsIdle && model.Pace.Pause is var left && (least is null || left < least))
                    least = left;
            }

            return least ?? TimeSpan.Zero;
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

    /// <summary>Removes the models that nobody asks for.</summary>
    private void Forget()
    {
        foreach (var known in _models)
        {
            if (known.Value.IsIdle)
                _models.TryRemove(known);
        }
    }

    /// <summary>A model of the upstream.</summary>
    private sealed class Model(TimeProvider time)
    {
        private long _asked = time.GetTimestamp();

        public RequestPace Pace { get; } = new(time);

        public bool IsIdle => time.GetElapsedTime(Volatile.Read(ref _asked)) > Idle;

        public void Ask() => Volatile.Write(ref _asked, time.GetTimestamp());
    }
}
