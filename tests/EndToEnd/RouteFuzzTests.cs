using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using Microsoft.Extensions.Logging;
using Shouldly;
using TaskQueue.Storage;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>
/// Nearly valid requests to every route: no 5xx but 503, no stack trace in the log, and a refused request changes nothing. As many as
/// fit into 20 seconds per database, longer on a busy machine, or TASKQUEUE_FUZZ_REQUESTS: see tests/fuzz.sh.
/// </summary>
public abstract class RouteFuzzTests(DatabaseProvider provider)
{
    private static readonly TimeSpan Budget = TimeSpan.FromSeconds(20), Deadline = TimeSpan.FromMinutes(3);

    /// <summary>The same requests each time; tests/fuzz.sh uses others.</summary>
    private const int DefaultSeed = 1406025224;

    [Fact]
    public async Task No_request_breaks_the_server_and_refused_ones_change_nothing()
    {
        var log = new FailureLog();
        await using var server = new FuzzServer(provider, log);
        await server.InitializeAsync();
        var seed = Environment.GetEnvironmentVariable("TASKQUEUE_FUZZ_SEED") is { Length: > 0 } given
            ? int.Parse(given, CultureInfo.InvariantCulture) : DefaultSeed;
        var random = new Random(seed);
        var wanted = Environment.GetEnvironmentVariable("TASKQUEUE_FUZZ_REQUESTS") is { Length: > 0 } number
            ? int.Parse(number, CultureInfo.InvariantCulture) : (int?)null;
        var probes = await server.Access.ProbesAsync();
        var begun = TimeProvider.System.GetTimestamp();
        var (sent, refused, compared) = (0, 0, 0);
        while (wanted is { } most ? sent < most : TimeProvider.System.GetElapsedTime(begun) < (HasEnough() ? Budget : Deadline))
        {
            var route = probes[random.Next(probes.Count)];
            var (method, path, body) = RouteFuzz.Mutate(route.Probe, random);
            var before = random.Next(25) == 0 ? await server.FingerprintAsync() : null;
            var (status, text) = await SendAsync(server.Access["operator"], method, path, body);
            sent++;
            var what = $"seed {seed}, request {sent}: {method} {path} "
                + $"{(body is null ? "" : Encoding.Latin1.GetString(body[..Math.Min(2000, body.Length)]))} -> {status} {text}";
            (status < 500 || status == 503 || IsNoRpc(path, status)).ShouldBeTrue(what);
            log.Failures.ShouldBeEmpty(what);
            if (status is < 400 or 503)
                continue;
            refused++;
            if (before is null)
                continue;
            compared++;
            (await server.FingerprintAsync()).ShouldBe(before, what);
        }

        HasEnough().ShouldBeTrue($"{sent} requests, {refused} refused, {compared} compared");
        Console.WriteLine($"{provider}: {sent} requests, {refused} refused, {compared} compared, seed {seed}");

        bool HasEnough() => refused > 20 && sent - refused > 20 && compared > 0;
    }

    private static bool IsNoRpc(string path, int status) => status == 501 && path.StartsWith("/moab/", StringComparison.Ordinal);

    private static async Task<(int Status, string Text)> SendAsync(HttpClient http, string method, string path, byte[]? body)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        if (body is not null)
        {
            request.Content = new ByteArrayContent(body);
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        }

        using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        var isStream = response.Content.Headers.ContentType?.MediaType == "text/event-stream";
        return ((int)response.StatusCode, isStream ? "" : await response.Content.ReadAsStringAsync());
    }
}

public sealed class RouteFuzzOnSqlite() : RouteFuzzTests(DatabaseProvider.Sqlite);

public sealed class RouteFuzzOnPostgres() : RouteFuzzTests(DatabaseProvider.Postgres);

/// <summary>Server log entries that are errors or have an exception.</summary>
/// <param name="isExpected">Lines without an exception that are no failures.</param>
internal sealed class FailureLog(Predicate<string>? isExpected = null) : ILoggerProvider, ILogger
{
    public ConcurrentQueue<string> Failures { get; } = [];

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
        Func<TState, Exception?, string> formatter)
    {
        var line = formatter(state, exception);
        if (exception is not null || line.Contains("\n   at ", StringComparison.Ordinal)
            || (logLevel >= LogLevel.Error && isExpected?.Invoke(line) != true))
            Failures.Enqueue($"{logLevel} {line} {exception}");
    }

    public void Dispose()
    {
    }
}
