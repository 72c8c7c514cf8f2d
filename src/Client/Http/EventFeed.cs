using System.Net.ServerSentEvents;
using System.Text.Json;

namespace TaskQueue.Client.Http;

/// <summary>
/// Reads <c>GET /events</c> across connections: after a connection is lost, the next one resumes after the last event read.
/// The backoff between attempts doubles from 200 ms to 15 s.
/// </summary>
internal sealed class EventFeed(IHttpClientFactory clients, LiveEventQuery query) : IAsyncDisposable
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(15);

    private HttpResponseMessage? _response;
    private SseParser<string>? _parser;
    private IAsyncEnumerator<SseItem<string>>? _items;
    private TimeSpan _pause = FirstPause;
    private bool _wasConnected;
    private string? _cursor = query.After;

    /// <summary>Waits for the next event.</summary>
    /// <exception cref="TaskQueueException">The server refused, or the first connection failed.</exception>
    public async Task<LiveEvent> NextAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            TaskQueueException loss;
            try
            {
                if (await ReadAsync(cancellationToken) is { } read)
                    return read;
                loss = new TaskQueueException("the server ended the stream", 0);
            }
            catch (Exception fault) when (!cancellationToken.IsCancellationRequested && ToLoss(fault) is { } known)
            {
                loss = known;
            }

            await CloseAsync();
            query.Lost?.Invoke(loss);
            await Task.Delay(loss.RetryAfter is { } wish && wish > _pause ? wish : _pause, cancellationToken);
            _pause = _pause * 2 < LongestPause ? _pause * 2 : LongestPause;
        }
    }

    public async ValueTask DisposeAsync() => await CloseAsync();

    /// <returns>Null when the stream has ended.</returns>
    private async Task<LiveEvent?> ReadAsync(CancellationToken cancellationToken)
    {
        if (_items is null)
            await OpenAsync(cancellationToken);
        while (await _items!.MoveNextAsync())
        {
            _pause = FirstPause;
            _cursor = _parser!.LastEventId;
            if (Parse(_items.Current) is { } read)
                return read with { Type = _items.Current.EventType, Cursor = _cursor };
        }

        return null;
    }

    private async Task OpenAsync(CancellationToken cancellationToken)
    {
        var queues = string.Join('&', query.Queues.Select(q => $"queue={Uri.EscapeDataString(q)}"));
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri($"/events?{queues}".TrimEnd('?'), UriKind.Relative));
        request.Headers.Accept.ParseAdd("text/event-stream");
        if (_cursor is { Length: > 0 } cursor)
            request.Headers.Add("Last-Event-ID", cursor);
        _response = await clients.Connect().OpenAsync(request, cancellationToken);
        _wasConnected = true;
        _parser = SseParser.Create(new WatchedStream(await _response.Content.ReadAsStreamAsync(cancellationToken)));
        _items = _parser.EnumerateAsync(cancellationToken).GetAsyncEnumerator(cancellationToken);
    }

    private async ValueTask CloseAsync()
    {
        // The server sends the start position when a stream opens, so that nothing is missed before the first event. A later
        // position may belong to an event that was cut off halfway.
        if (string.IsNullOrEmpty(_cursor))
            _cursor = _parser?.LastEventId;
        if (_items is { } items)
            await items.DisposeAsync();
        _response?.Dispose();
        (_items, _parser, _response) = (null, null, null);
    }

    private TaskQueueException? ToLoss(Exception fault) =>
        fault switch
        {
            TaskQueueException { IsTransient: true } loss when _wasConnected => loss,
            HttpRequestException or IOException or TimeoutException or OperationCanceledException =>
                new TaskQueueException($"the stream was interrupted: {fault.Message}", 0, inner: fault),
            _ => null,
        };

    private static LiveEvent? Parse(SseItem<string> item)
    {
        try
        {
            return JsonSerializer.Deserialize(item.Data, OperationsJson.Default.LiveEvent) is { TaskId: var id } read && id != Guid.Empty
                ? read : null;
        }
        catch (JsonException)
        {
            return null; // not a task event
        }
    }
}
