using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using TaskQueue.Tests.Servers;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>
/// Submits tasks over HTTP, one by one and in bulk, and remembers the accepted ids. While the server is down it
/// retries; requests without a 202 do not count, whether they were committed or not.
/// </summary>
internal sealed class CrashProducer(Func<Uri> address, string? queue = null) : IDisposable
{
    private const int Writers = 8;
    private const int BulkSize = 25;
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    // A response that takes longer than the database or broker outage is a hang.
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false }) { Timeout = TimeSpan.FromSeconds(20) };
    private readonly ConcurrentDictionary<Guid, byte> _accepted = new();
    private int _hangs;
    private int _refusals;

    /// <summary>Every task that this producer may have brought into the database is younger.</summary>
    public DateTime Since { get; } = TimeProvider.System.GetUtcNow().UtcDateTime;

    /// <summary>Ids that got a 202.</summary>
    public IReadOnlyCollection<Guid> Accepted => [.. _accepted.Keys];

    public int Count => _accepted.Count;

    /// <summary>Requests that were neither answered nor refused.</summary>
    public int Hangs => _hangs;

    /// <summary>Requests that were not accepted for any reason.</summary>
    public int Refusals => _refusals;

    public void Dispose() => _http.Dispose();

    /// <summary>Posts until this many further tasks are accepted.</summary>
    public Task PostAsync(int count)
    {
        var left = count;
        return Task.WhenAll(Enumerable.Range(0, Writers).Select(i => Task.Run(() => WriteAsync(i))));

        async Task WriteAsync(int writer)
        {
            var size = writer % 2 == 0 ? 1 : BulkSize;
            while (Interlocked.Add(ref left, -size) is var rest && rest + size > 0)
                await Eventually.UntilAsync(() => CountedAsync(Math.Min(size, rest + size)), Deadline, "a task is accepted");
        }
    }

    /// <summary>Waits until this many tasks are accepted in total.</summary>
    public Task ReachAsync(int count) =>
        Eventually.UntilAsync(() => Task.FromResult(Count >= count), Deadline, $"{count} tasks are accepted");

    private async Task<bool> CountedAsync(int size)
    {
        var accepted = await TryPostAsync(size);
        if (!accepted)
            Interlocked.Increment(ref _refusals);
        return accepted;
    }

    private async Task<bool> TryPostAsync(int size)
    {
        try
        {
            var task = new { action = "uppercase", data = new { text = "crash" }, queue };
            using var response = size == 1
                ? await _http.PostAsJsonAsync(new Uri(address(), "/tasks"), task)
                : await _http.PostAsJsonAsync(new Uri(address(), "/tasks/bulk"), new { tasks = Enumerable.Repeat(task, size) });
            if (response.StatusCode != HttpStatusCode.Accepted)
                return false;
            var body = await response.Content.ReadFromJsonAsync<JsonElement>();
            foreach (var id in size == 1 ? [body.GetProperty("id").GetGuid()]
                : body.GetProperty("ids").EnumerateArray().Select(i => i.GetGuid()))
                _accepted.TryAdd(id, 0);
            return true;
        }
        catch (OperationCanceledException)
        {
            Interlocked.Increment(ref _hangs);
            return false;
        }
        catch (Exception fault) when (fault is HttpRequestException or IOException or JsonException)
        {
            return false;
        }
    }
}
