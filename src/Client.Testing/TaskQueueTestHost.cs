using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using TaskQueue.Api.Hosting;

namespace TaskQueue.Client.Testing;

/// <summary>
/// A whole TaskQueue server in the process of a test: all roles, a SQLite file in a temporary folder, the in-process bus, and a free port
/// of the loopback address. Its time can be moved forward. Several may run at once.
/// </summary>
public sealed class TaskQueueTestHost : IAsyncDisposable
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(10);

    /// <summary>How long due tasks wait for a worker before the time moves on: a limit of their queue may hold them.</summary>
    private static readonly TimeSpan LongestClaim = TimeSpan.FromSeconds(2);

    /// <summary>The same where other tasks of the name were left already: a long walk has many ticks.</summary>
    private static readonly TimeSpan LongestClaimOfMore = TimeSpan.FromMilliseconds(200);

    private readonly string _folder;
    private readonly TestClock _clock;
    private readonly EmbeddedServer _server;
    private readonly TaskQueueTestHostOptions _options;
    private readonly ServiceProvider _client;
    private readonly List<TestWorker> _workers = [];
    private bool _isDisposed;

    private TaskQueueTestHost(string folder, TestClock clock, EmbeddedServer server, TaskQueueTestHostOptions options)
    {
        (_folder, _clock, _server, _options) = (folder, clock, server, options);
        // By the machine's clock: a request that waits is not over because the time was moved.
        _client = new ServiceCollection().AddTaskQueueClient(c => c.BaseAddress = Address).Directly().BuildServiceProvider();
        Client = _client.GetRequiredService<TaskQueueClient>();
    }

    /// <summary>A client of the server.</summary>
    public TaskQueueClient Client { get; }

    /// <summary>Address of the server, such as <c>http://127.0.0.1:40123</c>; its console is at <c>/console</c>.</summary>
    public Uri Address => _server.Address;

    /// <summary>
    /// The clock of the server and of the workers of this host. It runs like the machine's, and <see cref="AdvanceAsync"/> moves it
    /// forward.
    /// </summary>
    public TimeProvider Time => _clock;

    /// <summary>Starts a server.</summary>
    /// <param name="configure">Changes the options; null: the defaults.</param>
    /// <param name="cancellationToken">Stops waiting for the start.</param>
    /// <exception cref="InvalidOperationException">A setting is wrong.</exception>
    /// <exception cref="TimeoutException">The server did not become ready.</exception>
    public static async Task<TaskQueueTestHost> StartAsync(
        Action<TaskQueueTestHostOptions>? configure = null, CancellationToken cancellationToken = default)
    {
        var options = new TaskQueueTestHostOptions();
        configure?.Invoke(options);
        var folder = Directory.CreateTempSubdirectory("taskqueue-test-").FullName;
        try
        {
            var clock = new TestClock(options.Start ?? TimeProvider.System.GetUtcNow());
            var server = await EmbeddedServer.StartAsync(folder, clock, options.Settings, options.Log, options.Timeout, cancellationToken);
            return new TaskQueueTestHost(folder, clock, server, options);
        }
        catch
        {
            Directory.Delete(folder, recursive: true);
            throw;
        }
    }

    /// <summary>Starts a worker that runs until the host is disposed.</summary>
    /// <param name="configure">Queues, processors and limits, as for <c>AddTaskQueueWorker</c>.</param>
    /// <param name="services">Registers what its handlers need; null: nothing. <see cref="Time"/> is registered.</param>
    /// <exception cref="Microsoft.Extensions.Options.OptionsValidationException">An option is out of range.</exception>
    public async Task AddWorkerAsync(Action<TaskQueueWorkerOptions> configure, Action<IServiceCollection>? services = null)
    {
        ArgumentNullException.ThrowIfNull(configure);
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        var worker = new TestWorker(Address, _clock, _options.Log, configure, services);
        _workers.Add(worker);
        await worker.StartAsync();
    }

    /// <summary>
    /// Moves the time forward. Schedules fire at each of their ticks on the way, and the workers of this host run the tasks of a tick
    /// before the next one; one that waits for this clock or for the test holds it up. At the end tasks that have expired are expired, and
    /// leases that have run out are lost: a worker that runs a task meanwhile loses it, as on a machine that slept, so drain before.
    /// Tasks that became due run afterwards: see <see cref="DrainAsync"/>.
    /// </summary>
    /// <param name="by">How far.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <exception cref="TimeoutException">The server did not follow in time; the message says what is left.</exception>
    public Task AdvanceAsync(TimeSpan by, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(by, TimeSpan.Zero);
        return WalkAsync(by, Stopwatch.GetTimestamp(), _options.Timeout, cancellationToken);
    }

    /// <summary>
    /// Waits until no task runs and none is due. Tasks that are due later stay, and so do those of paused queues and those behind another
    /// task of their ordering key that is due later.
    /// </summary>
    /// <param name="advance">
    /// Whether to move the time forward to the next due task, such as a retry, again and again until no task waits for its time.
    /// </param>
    /// <param name="timeout">How long it may take by the machine's clock; null: <see cref="TaskQueueTestHostOptions.Timeout"/>.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <exception cref="TimeoutException">It took longer; the message lists the tasks that are left.</exception>
    public async Task DrainAsync(bool advance = false, TimeSpan? timeout = null, CancellationToken cancellationToken = default)
    {
        var (started, patience) = (Stopwatch.GetTimestamp(), timeout ?? _options.Timeout);
        while (true)
        {
            await SettleAsync(EmbeddedWork.All, started, patience, cancellationToken);
            if (!advance || await _server.NextDueAsync(cancellationToken) is not { } next)
                return;
            var wait = next - _clock.GetUtcNow();
            await WalkAsync(wait > TimeSpan.Zero ? wait : TimeSpan.Zero, started, patience, cancellationToken);
        }
    }

    /// <summary>Stops the workers and the server, and deletes its files.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_isDisposed)
            return;
        _isDisposed = true;
        try
        {
            await Task.WhenAll(_workers.Select(w => w.DisposeAsync().AsTask())); // may run code of the test, which may throw
        }
        finally
        {
            await DisposeServerAsync();
        }
    }

    private async Task DisposeServerAsync()
    {
        try
        {
            await _client.DisposeAsync();
            await _server.DisposeAsync();
        }
        finally
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    private async Task WalkAsync(TimeSpan by, long started, TimeSpan patience, CancellationToken cancellationToken)
    {
        var end = _clock.GetUtcNow() + by;
        List<EmbeddedWorkLeft> unclaimed = [];
        while (await _server.NextTickAsync(cancellationToken) is { } tick && tick <= end)
        {
            SkipTo(tick);
            await SettleAsync(EmbeddedWork.Overdue, started, patience, cancellationToken);
            unclaimed = await LetWorkersWorkAsync(unclaimed, started, patience, cancellationToken);
        }

        SkipTo(end);
        await SettleAsync(EmbeddedWork.Overdue, started, patience, cancellationToken);
    }

    /// <summary>
    /// Waits until the workers of this host have done what is due: to skip more than a lease under a task that runs takes it from them.
    /// </summary>
    /// <param name="unclaimed">What it returned at the tick before.</param>
    /// <param name="started">When the walk began.</param>
    /// <param name="patience">How long the walk may take.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <returns>The tasks that are left because no worker takes them.</returns>
    private async Task<List<EmbeddedWorkLeft>> LetWorkersWorkAsync(
        List<EmbeddedWorkLeft> unclaimed, long started, TimeSpan patience, CancellationToken cancellationToken)
    {
        List<string> queues = [EmbeddedServer.OwnQueue, .. _workers.SelectMany(w => w.Queues)];
        var waited = TimeSpan.Zero;
        while (true)
        {
            var looked = Stopwatch.GetTimestamp();
            var left = (await _server.LeftAsync(EmbeddedWork.All, queues, cancellationToken)).Where(l => l.Count > 0).ToList();
            var isRunning = left.Exists(l => l.IsRunning);
            if (!isRunning && waited >= ClaimTime(left, unclaimed))
                return left;
            ThrowIfOver(left, started, patience);
            await Task.Delay(LookAgain, cancellationToken);
            waited = isRunning ? TimeSpan.Zero : waited + Stopwatch.GetElapsedTime(looked);
        }
    }

    /// <summary>How long these tasks wait for a worker. None took those of before; one that is new may be about to be claimed.</summary>
    private static TimeSpan ClaimTime(List<EmbeddedWorkLeft> left, List<EmbeddedWorkLeft> before)
    {
        if (left.Count == 0 || left.SequenceEqual(before))
            return TimeSpan.Zero;
        return left.TrueForAll(l => before.Exists(b => b.Queue == l.Queue && b.Name == l.Name)) ? LongestClaimOfMore : LongestClaim;
    }

    private void SkipTo(DateTimeOffset time)
    {
        var left = time - _clock.GetUtcNow();
        if (left > TimeSpan.Zero)
            _clock.Skip(left);
        _server.LookNow();
    }

    /// <summary>Waits until a kind of work is done.</summary>
    private async Task SettleAsync(EmbeddedWork work, long started, TimeSpan patience, CancellationToken cancellationToken)
    {
        while (await _server.LeftAsync(work, queues: null, cancellationToken) is { Count: > 0 } left)
        {
            ThrowIfOver(left, started, patience);
            await Task.Delay(LookAgain, cancellationToken);
        }
    }

    private void ThrowIfOver(IEnumerable<EmbeddedWorkLeft> left, long started, TimeSpan patience)
    {
        if (Stopwatch.GetElapsedTime(started) > patience)
            throw new TimeoutException($"Not done within {patience.TotalSeconds:0.###} s: {string.Join("; ", left.Select(Text))}.");
    }

    private string Text(EmbeddedWorkLeft left) =>
        left.Count == 0 ? $"schedule '{left.Name}' of queue '{left.Queue}' is due"
            : $"{left.Count} {(left.Count == 1 ? "task" : "tasks")} '{left.Name}' of queue '{left.Queue}' "
                + (left.IsRunning ? "running" : "waiting")
                + (left.IsRunning || left.Queue == EmbeddedServer.OwnQueue || _workers.Any(w => w.WorksOn(left.Queue)) ? ""
                    : " (no worker of this host works on the queue)");
}
