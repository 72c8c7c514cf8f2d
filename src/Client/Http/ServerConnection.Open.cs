using System.Text.Json;

namespace TaskQueue.Client.Http;

/// <summary>Streamed responses and responses of any JSON shape.</summary>
internal sealed partial class ServerConnection
{
    /// <summary>Sends a request and returns its successful response, which the caller must dispose.</summary>
    /// <exception cref="TaskQueueException">The server refused, or did not answer.</exception>
    public async Task<HttpResponseMessage> OpenAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        try
        {
            var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            if (response.IsSuccessStatusCode)
                return response;
            using (response)
                throw await ErrorAsync(response, cancellationToken);
        }
        catch (Exception fault) when (IsOfConnection(fault, cancellationToken))
        {
            throw NoAnswer(fault, $"{request.RequestUri}");
        }
    }

    /// <summary>Sends JSON and reads JSON; null if the response has no body.</summary>
    /// <exception cref="TaskQueueException">The server refused, or did not answer.</exception>
    public async Task<JsonElement?> CallAsync(HttpMethod method, string path, JsonElement? body, CancellationToken cancellationToken)
    {
        using var content = body is { } json
            ? new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(json,
                OperationsJson.Default.JsonElement)) { Headers = { ContentType = Json } } : null;
        using var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative)) { Content = content };
        using var response = await OpenAsync(request, cancellationToken);
        try
        {
            var answer = await response.Content.ReadAsByteArrayAsync(cancellationToken);
            return answer.Length == 0 ? null : JsonSerializer.Deserialize(answer, OperationsJson.Default.JsonElement);
        }
        catch (Exception fault) when (IsOfConnection(fault, cancellationToken))
        {
            throw NoAnswer(fault, path);
        }
    }
}
