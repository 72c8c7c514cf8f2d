using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace TaskQueue.Client.Http;

/// <summary>Sends requests to the server and turns its errors into <see cref="TaskQueueException"/>.</summary>
/// <param name="http">Carries the server's address and key; its timeout exceeds the longest wait of a request.</param>
internal sealed partial class ServerConnection(HttpClient http)
{
    private static readonly MediaTypeHeaderValue Json = new("application/json");

    /// <summary>Sends a body and reads the response.</summary>
    /// <exception cref="TaskQueueException">The server refused, or did not answer.</exception>
    public async Task<TAnswer> SendAsync<TBody, TAnswer>(
        HttpMethod method, string path, TBody body, JsonTypeInfo<TBody> bodyType, JsonTypeInfo<TAnswer> answerType,
        CancellationToken cancellationToken)
    {
        using var content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body, bodyType)) { Headers = { ContentType = Json } };
        return await SendAsync(method, path, content, answerType, cancellationToken);
    }

    /// <summary>Sends a request without a body, or with a serialized one, and reads the response.</summary>
    /// <exception cref="TaskQueueException">The server refused, or did not answer.</exception>
    public async Task<TAnswer> SendAsync<TAnswer>(HttpMethod method, string path, HttpContent? content, JsonTypeInfo<TAnswer> answerType,
        CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative)) { Content = content };
        try
        {
            using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            if (!response.IsSuccessStatusCode)
                throw await ErrorAsync(response, cancellationToken);
            await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
            return await JsonSerializer.DeserializeAsync(stream, answerType, cancellationToken) ?? throw new JsonException("null");
        }
        catch (Exception fault) when (IsOfConnection(fault, cancellationToken))
        {
            throw NoAnswer(fault, path);
        }
    }

    /// <summary>
    /// Whether there was no answer of the server. The application's own message handlers, such as those of a resilience library, may throw
    /// anything for that.
    /// </summary>
    private static bool IsOfConnection(Exception fault, CancellationToken cancellationToken) =>
        fault is not TaskQueueException && !(fault is OperationCanceledException && cancellationToken.IsCancellationRequested);

    private TaskQueueException NoAnswer(Exception fault, string path) =>
        new(fault switch
        {
            HttpRequestException => $"{http.BaseAddress} cannot be reached: {fault.Message}",
            OperationCanceledException => $"{http.BaseAddress} did not answer {path} in time",
            JsonException or IOException => $"{http.BaseAddress} answered {path} with an unexpected response: {fault.Message}",
            _ => $"{http.BaseAddress} cannot be asked for {path}: {fault.GetType().Name}: {fault.Message}",
        }, 0, inner: fault);

    private static async Task<TaskQueueException> ErrorAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var text = await response.Content.ReadAsStringAsync(cancellationToken);
        ServerError? error = null;
        try
        {
            error = JsonSerializer.Deserialize(text, ServerErrorJson.Default.ServerError);
        }
        catch (JsonException)
        {
            // Not the server's own error, but that of an intermediary such as a proxy.
        }

        var status = (int)response.StatusCode;
        return new TaskQueueException(error?.Detail ?? error?.Error ?? error?.Title ?? $"the server answered {status}", status, error?.Code)
        {
            RetryAfter = response.Headers.RetryAfter?.Delta,
        };
    }
}
