using System.Collections.Concurrent;
using System.Net.ServerSentEvents;
using System.Text.Json;
using TaskQueue.Tests.Servers;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>An event as received by a client.</summary>
internal sealed record SeenEvent(string Type, string? Id, JsonElement Data)
{
    public Guid Task => Data.GetProperty("task_id").GetGuid();
}

/// <summary>Listens to GET /events and keeps the events.</summary>
internal sealed class EventClient : IAsyncDisposable
{
    private readonly HttpResponseMessage _response;
    private readonly ConcurrentQueue<SeenEvent> _seen = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _reading;

    private EventClient(HttpResponseMessage response)
    {
        _response = response;
        _reading = ReadAsync();
    }

    public IReadOnlyList<SeenEvent> Seen => [.. _seen];

    /// <summary>Completes when the server has ended the stream.</summary>
    public Task Ended => _reading;

    /// <summary>The events of a task, in order of arrival.</summary>
    public string Of(Guid task) => string.Join(' ', _seen.Where(e => e.Task == task).Select(e => e.Type));

    /// <summary>Listens from now on.</summary>
    public static async Task<EventClient> ListenAsync(HttpClient http, string query = "", string? after = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/events{query}");
        if (after is not null)
            request.Headers.Add("Last-Event-ID", after);
        var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        return (int)response.StatusCode == 200 ? new EventClient(response)
            : throw new InvalidOperationException($"{response.StatusCode}: {await response.Content.ReadAsStringAsync()}");
    }

    /// <summary>Waits until a task's events are as expected.</summary>
    public Task HeardAsync(Guid task, string events) =>
        Eventually.UntilAsync(() => Task.FromResult(Of(task) == events), TestHttp.Patience, $"{task}: {events}");

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _response.Dispose();
        _stop.Dispose();
    }

    private async Task ReadAsync()
    {
        await using var stream = await _response.Content.ReadAsStreamAsync(_stop.Token);
        await foreach (var item in SseParser.Create(stream, (_, data) => data.ToArray()).EnumerateAsync(_stop.Token))
        {
            if (item.Data.Length > 0)
                _seen.Enqueue(new SeenEvent(item.EventType, item.EventId, JsonSerializer.Deserialize<JsonElement>(item.Data)));
        }
    }
}
