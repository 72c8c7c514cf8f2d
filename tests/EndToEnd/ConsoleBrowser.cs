using System.Net;
using System.Text;
using System.Text.Json;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Behaves like a browser with the console open: keeps cookies, follows no redirects by itself.</summary>
internal sealed class ConsoleBrowser : IDisposable
{
    private readonly HttpClientHandler _handler = new()
    {
        AllowAutoRedirect = false, UseProxy = false, AutomaticDecompression = DecompressionMethods.None,
    };

    public ConsoleBrowser(Uri server) => Http = new HttpClient(_handler) { BaseAddress = server };

    public HttpClient Http { get; }

    public CookieContainer Cookies => _handler.CookieContainer;

    /// <summary>Signs in with a key.</summary>
    public async Task<Reply> SignInAsync(string key) => await SendAsync("POST", "/console/session", new { key });

    /// <summary>Sends what the console sends: changes have its header.</summary>
    public async Task<Reply> SendAsync(string method, string path, object? body = null, string? header = "1", string? from = null)
    {
        using var response = await OpenAsync(method, path, body, header, from);
        return new Reply((int)response.StatusCode, response.Content.Headers.ContentType?.MediaType,
            await response.Content.ReadAsStringAsync());
    }

    /// <summary>The same, with the response itself.</summary>
    public async Task<HttpResponseMessage> OpenAsync(string method, string path, object? body = null, string? header = "1",
        string? from = null, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(path, UriKind.RelativeOrAbsolute));
        if (body is not null)
            request.Content = new StringContent(JsonSerializer.Serialize(body), Encoding.UTF8, "application/json");
        if (method is not "GET" && header is not null)
            request.Headers.Add("X-TaskQueue-Console", header);
        if (from is not null)
            request.Headers.Add("X-Forwarded-For", from);
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        return await Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }

    /// <summary>GET /console/session.</summary>
    public async Task<JsonElement> SessionAsync() => (await SendAsync("GET", "/console/session")).Json;

    public void Dispose()
    {
        Http.Dispose();
        _handler.Dispose();
    }
}
