using System.Collections.Concurrent;
using TaskQueue.Tests.Servers;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>
/// Clients of a few servers: each server gets push tasks, pull tasks one by one and in bulk, and a worker that claims and
/// reports them. Unexpected responses are kept.
/// </summary>
internal sealed class UpgradeLoad : IAsyncDisposable
{
    public const string Queue = "upgrade";

    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(50);

    private readonly ConcurrentDictionary<HttpClient, (CancellationTokenSource Stop, Task Work)> _servers = new();
    private readonly ConcurrentDictionary<HttpClient, int> _taken = new();
    private readonly ConcurrentQueue<Guid> _accepted = new();
    private readonly ConcurrentQueue<string> _failures = new();
    private int _reported;

    public IReadOnlyCollection<Guid> Accepted => _accepted;

    public IReadOnlyCollection<string> Failures => _failures;

    /// <summary>Starts to use a server.</summary>
    public void Use(HttpClient http)
    {
        var stop = new CancellationTokenSource();
        _servers[http] = (stop, Task.WhenAll(Task.Run(() => ProduceAsync(http, stop.Token)), Task.Run(() => WorkAsync(http, stop.Token))));
    }

    /// <summary>Stops using a server; returns when the last request to it is answered.</summary>
    public async Task LeaveAsync(HttpClient http)
    {
        if (!_servers.TryRemove(http, out var server))
            return;
        await server.Stop.CancelAsync();
        await server.Work;
        server.Stop.Dispose();
    }

    /// <summary>
    /// Waits until this many more tasks are accepted, this many more pull tasks are reported, and every server in use handed out some.
    /// </summary>
    public Task GrowAsync(int tasks)
    {
        var (accepted, reported) = (_accepted.Count + tasks, Volatile.Read(ref _reported) + tasks);
        var taken = _servers.Keys.ToDictionary(http => http, http => _taken.GetValueOrDefault(http));
        return Eventually.UntilAsync(
            () => Task.FromResult(!_failures.IsEmpty
                || (_accepted.Count >= accepted && _reported >= reported && taken.All(t => _taken.GetValueOrDefault(t.Key) > t.Value))),
            TimeSpan.FromSeconds(30), "all servers take and give tasks");
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var http in _servers.Keys)
            await LeaveAsync(http);
    }

    private async Task ProduceAsync(HttpClient http, CancellationToken cancellationToken)
    {
        using var clock = new PeriodicTimer(Pace);
        var pull = new { action = "noop", queue = Queue };
        while (!cancellationToken.IsCancellationRequested)
        {
            await TryAsync(async () =>
                _accepted.Enqueue(await http.SubmitAsync(new { action = "uppercase", data = new { text = "new" } })));
            await TryAsync(async () => _accepted.Enqueue(await http.SubmitAsync(pull)));
            await TryAsync(async () => (await http.SubmitManyAsync(Enumerable.Repeat<object>(pull, 3))).ForEach(_accepted.Enqueue));
            await clock.WaitForNextTickAsync(CancellationToken.None);
        }
    }

    private async Task WorkAsync(HttpClient http, CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
            await TryAsync(() => TakeAsync(http));
    }

    private async Task TakeAsync(HttpClient http)
    {
        var claimed = await http.ClaimAsync(Queue, max: 5, wait_seconds: 1);
        if (claimed.Count == 0)
            return;
        var codes = await http.TellAsync("report",
            [.. claimed.Select(t => new { id = t.Id(), attempt = t.Whole("attempt"), outcome = "completed" })]);
        _taken.AddOrUpdate(http, claimed.Count, (_, before) => before + claimed.Count);
        Interlocked.Add(ref _reported, claimed.Count);
        foreach (var code in codes.Where(c => c != "ok"))
            _failures.Enqueue($"a report got {code}");
    }

    private async Task TryAsync(Func<Task> use)
    {
        try
        {
            await use();
        }
        catch (Exception fault) when (fault is HttpRequestException or InvalidOperationException or OperationCanceledException)
        {
            _failures.Enqueue(fault.Message);
        }
    }
}
