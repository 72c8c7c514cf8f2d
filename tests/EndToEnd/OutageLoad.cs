using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using Shouldly;
using TaskQueue.Tests.Servers;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>
/// Callers of every API, a worker and a flood of large tasks, at a modest rate without end. Each waits as Retry-After says
/// and retries; every response is checked.
/// </summary>
internal sealed class OutageLoad : IAsyncDisposable
{
    /// <summary>
    /// No response may take longer: a statement may last 10 s, the driver tries to cancel it for twice the connect timeout (5 s), and a
    /// task may have waited up to 10 s for its group before.
    /// </summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(35);

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(150);

    private readonly HttpClient _http;
    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationTokenSource _stopWork = new();
    private readonly ConcurrentDictionary<Guid, byte> _accepted = new();
    private readonly ConcurrentDictionary<string, int> _refusals = new();
    private readonly ConcurrentQueue<string> _wrong = new();
    private readonly Task _calls;
    private readonly Task _work;
    private Task _flood = Task.CompletedTask;
    private long _slowest;

    private OutageLoad(Uri address)
    {
        _http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = address, Timeout = Patience };
        _calls = Task.WhenAll(OutageApi.All.Select(mark => Task.Run(() => CallAsync(mark, Pause))));
        _work = Task.Run(WorkAsync);
    }

    /// <summary>Accepted tasks.</summary>
    public IReadOnlyCollection<Guid> Accepted => [.. _accepted.Keys];

    /// <summary>Number of 503 responses per API.</summary>
    public IReadOnlyDictionary<string, int> Refusals => _refusals;

    /// <summary>The slowest response.</summary>
    public TimeSpan Slowest => new(Interlocked.Read(ref _slowest));

    public static async Task<OutageLoad> StartAsync(Uri address)
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = address };
        await DeclareAsync("/v1/queue/register", new { queue = OutageApi.Bella, endpoint = "/v1/x" });
        await DeclareAsync("/moab/CreateQueue", new { name = OutageApi.Moab, keepalive_timeout_in_seconds = 10 });
        return new OutageLoad(address);

        // A process that has just started may take so long for its first transaction that PostgreSQL ends it.
        Task DeclareAsync(string path, object body) => Eventually.UntilAsync(
            async () =>
            {
                var reply = await http.PostAsync(path, body);
                reply.Status.ShouldBeOneOf(200, 503);
                return reply.Status == 200;
            },
            TimeSpan.FromMinutes(1), $"{path} is accepted");
    }

    /// <summary>Offers more than may wait, from this many callers, until the stop.</summary>
    public void Flood(int callers, CancellationToken cancellationToken)
    {
        var task = new { action = "uppercase", data = new { text = new string('x', 100_000) } };
        var flood = new OutageApi("flood", () => OutageApi.Post("/tasks", task), b => b.TryGetProperty("error", out _), b =>
            [b.GetProperty("id").GetGuid()]);
        _flood = Task.WhenAll(_flood,
            Task.WhenAll(Enumerable.Range(0, callers)
                .Select(_ => Task.Run(() => CallAsync(flood, TimeSpan.FromSeconds(1), cancellationToken), CancellationToken.None))));
    }

    /// <summary>Submits no more tasks; existing ones are processed.</summary>
    public async Task EndAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_calls, _flood);
        _wrong.ShouldBeEmpty();
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _stopWork.CancelAsync();
        await Task.WhenAll(_calls, _flood, _work).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _http.Dispose();
        _stop.Dispose();
        _stopWork.Dispose();
    }

    private async Task CallAsync(OutageApi mark, TimeSpan pause, CancellationToken cancellationToken = default)
    {
        while (!_stop.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            var (body, wait) = await AskAsync(mark);
            foreach (var id in body is { } accepted ? mark.Accepted(accepted) : [])
                _accepted.TryAdd(id, 0);
            await Task.Delay(wait ?? pause, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <returns>The body of a success, or how long to wait.</returns>
    private async Task<(JsonElement? Body, TimeSpan? Wait)> AskAsync(OutageApi mark)
    {
        var begin = Stopwatch.GetTimestamp();
        try
        {
            using var request = mark.Request();
            using var response = await _http.SendAsync(request);
            var text = await response.Content.ReadAsStringAsync();
            Note(Stopwatch.GetElapsedTime(begin));
            if (response.IsSuccessStatusCode)
                return (JsonSerializer.Deserialize<JsonElement>(text), null);
            var wait = response.Headers.RetryAfter?.Delta;
            if ((int)response.StatusCode == mark.Says && (mark.Says != 503 || wait > TimeSpan.Zero)
                && mark.Refused(JsonSerializer.Deserialize<JsonElement>(text)))
                _refusals.AddOrUpdate(mark.Name, 1, (_, n) => n + 1);
            else
                _wrong.Enqueue($"{mark.Name}: {(int)response.StatusCode} {response.Headers.RetryAfter} {text}");
            return (null, wait ?? Pause);
        }
        catch (Exception fault) when (fault is OperationCanceledException or HttpRequestException or JsonException
            or InvalidOperationException or KeyNotFoundException)
        {
            _wrong.Enqueue($"{mark.Name}: {fault.Message} after {Stopwatch.GetElapsedTime(begin).TotalSeconds:0.0} s");
            return (null, Pause);
        }
    }

    /// <summary>A well-behaved worker: it reports its outcomes until they are accepted.</summary>
    private async Task WorkAsync()
    {
        var claim = new OutageApi("claim", () =>
            OutageApi.Post("/workers/claim",
                new { queues = OutageApi.PulledQueues, worker = "w", max = 50, lease_seconds = 10, wait_seconds = 1 }),
                    OutageApi.IsProblem, _ => []);
        while (!_stopWork.IsCancellationRequested)
        {
            var (claimed, wait) = await AskAsync(claim);
            if (claimed?.GetProperty("tasks") is { } tasks && tasks.GetArrayLength() > 0)
                await ReportAsync([.. tasks.EnumerateArray()
                    .Select(t => new { id = t.Id(), attempt = t.Whole("attempt"), outcome = "completed" })]);
            else
                await Task.Delay(wait ?? TimeSpan.Zero, _stopWork.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task ReportAsync(object[] tasks)
    {
        var report = new OutageApi("report", () => OutageApi.Post("/workers/report", new { tasks }), OutageApi.IsProblem, _ => []);
        while (!_stopWork.IsCancellationRequested)
        {
            var (body, wait) = await AskAsync(report);
            if (body is not null)
                return;
            await Task.Delay(wait ?? Pause, _stopWork.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private void Note(TimeSpan taken)
    {
        for (var known = Interlocked.Read(ref _slowest); known < taken.Ticks;)
        {
            var found = Interlocked.CompareExchange(ref _slowest, taken.Ticks, known);
            if (found == known)
                return;
            known = found;
        }
    }
}
