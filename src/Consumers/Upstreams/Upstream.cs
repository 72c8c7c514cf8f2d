using System.Collections.Concurrent;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Consumers.Upstreams;

/// <summary>A configured upstream, the paces of its requests and their slots.</summary>
#pragma warning disable CA1001 // a semaphore whose wait handle is not used holds nothing
internal sealed class Upstream
#pragma warning restore CA1001
{
    /// <summary>Models with a pace of their own; further ones share one.</summary>
    private const int MaxModels = 1000;

    /// <summary>Longest wait before the claim of a paused upstream is reconsidered.</summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(5);

    /// <summary>A model that nobody asked for during this time says nothing about the upstream.</summary>
    private static readonly TimeSpan Idle = TimeSpan.FromSeconds(60);

    /// <summary>Longest wait for a turn among the weights: no signal tells that another upstream pauses.</summary>
    private static readonly TimeSpan LookAtOthers = TimeSpan.FromMilliseconds(100);

    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _slots;
    private int _guests; // requests of tasks that other upstreams claimed
    private readonly Dictionary<string, Uri> _urls;
    private readonly ConcurrentDictionary<string, Model> _models = new(StringComparer.Ordinal);

    /// <param name="options">The upstream.</param>
    /// <param name="all">All configured upstreams: those on the same server that share a queue serve each other's endpoints.</param>
    /// <param name="time">The clock.</param>
    public Upstream(UpstreamOptions options, IEnumerable<UpstreamOptions> all, TimeProvider time)
    {
        _time = time;
        Options = options;
        _slots = new SemaphoreSlim(options.MaxConcurrency);
        Server = new RequestPace(time);
        Concurrency = options.AdaptConcurrency ? new ConcurrencyLimit(options.MaxConcurrency, time) : null;
        _urls = all.Where(u => u.BaseUrl == options.BaseUrl).Select(u => u.Endpoint).Distinct(StringComparer.Ordinal)
            .ToDictionary(e => e, e => Join(new Uri(options.BaseUrl), e), StringComparer.Ordinal);
    }

    public UpstreamOptions Options { get; }

    /// <summary>The pace of all requests: the server is away, or refused a request that names no model.</summary>
    public RequestPace Server { get; }

    /// <summary>The number of concurrent requests that is found; null: it is configured.</summary>
    public ConcurrencyLimit? Concurrency { get; }

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

    /// <summary>How long no request to a model would be sent.</summary>
    /// <param name="model">The model; null: the request names none.</param>
    public TimeSpan PauseOf(string? model)
    {
        var pause = Server.Closed;
        return model is not null && _models.TryGetValue(model, out var known) && known.Pace.Closed is var its && its > pause ? its : pause;
    }

    /// <summary>Whether it may take a task of another upstream, one of whose <see cref="Others"/> it is.</summary>
    /// <param name="task">The task.</param>
    /// <param name="model">The model that its request names, or null.</param>
    public bool CanServe(TaskState task, string? model) =>
        UrlOf(task.Name) is not null
        && (model is null || Options.Models.Count == 0 || Options.Models.Contains(model, StringComparer.Ordinal))
        && (Options.ServedTiers.Contains(task.Tier) || (Options.ServedTiers.Contains(BatchLanes.First) && Options.Queues.Count == 0
            && BatchLanes.Of(QueueRouter.UpstreamQueue(Options.Endpoint)).Contains(new QueueTier(task.Queue, task.Tier))));

    /// <summary>Most tasks that it may claim for itself, next to the requests of tasks that others claimed.</summary>
    public int Limit => Math.Max(1, MaxRequests - Volatile.Read(ref _guests));

    /// <summary>Requests that could be sent at once now.</summary>
    public int FreeSlots => MaxRequests - (Options.MaxConcurrency - _slots.CurrentCount);

    private int MaxRequests => Concurrency?.Current ?? Options.MaxConcurrency;

    /// <summary>Takes the slot of a request, in order of arrival.</summary>
    /// <param name="isGuest">Whether another upstream claimed the task.</param>
    /// <param name="patience">Longest wait of such a task.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False: the wait was too long.</returns>
    public async Task<bool> EnterAsync(bool isGuest, TimeSpan patience, CancellationToken cancellationToken)
    {
        if (!isGuest)
        {
            await _slots.WaitAsync(cancellationToken);
        }
        else
        {
            using var timeout = new CancellationTokenSource(patience, _time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
            try
            {
                await _slots.WaitAsync(either.Token);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                return false;
            }
        }

        if (isGuest)
            Interlocked.Increment(ref _guests);
        return true;
    }

    /// <summary>Gives the slot of a request back.</summary>
    public void Leave(bool isGuest)
    {
        if (isGuest)
            Interlocked.Decrement(ref _guests);
        _slots.Release();
    }

    /// <summary>Waits until a claim is useful: a request could be sent, a fallback is needed, and its share allows it.</summary>
    public async Task ReadyAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var wait = PauseLeft;
            if (wait <= TimeSpan.Zero && Options.IsFallback && Others.Any(o => !o.Options.IsFallback && !o.IsPaused))
                wait = TimeSpan.FromSeconds(1);
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
    public int BeginClaim(int room) => Shares?.BeginClaim(this, room) ?? room;

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
