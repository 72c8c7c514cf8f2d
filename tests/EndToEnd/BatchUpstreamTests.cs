using System.Globalization;
using System.IO.Compression;
using System.Text;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine.Ids;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;
using ZstdSharp;
using static TaskQueue.Tests.EndToEnd.BatchUpstreamServer;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Batches that an upstream runs: what it answers, and what it does not answer for now.</summary>
public abstract class BatchUpstreamTests(BatchUpstreamServer server)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    public sealed class OnSqlite(BatchUpstreamsOnSqlite server) : BatchUpstreamTests(server), IClassFixture<BatchUpstreamsOnSqlite>;

    public sealed class OnServers(BatchUpstreamsOnServers server) : BatchUpstreamTests(server), IClassFixture<BatchUpstreamsOnServers>;

    [Fact]
    public async Task An_upstream_that_takes_two_requests_a_second_loses_no_line()
    {
        var (second, inSecond) = (0L, 0);
        server.Upstream.Usual = context =>
        {
            lock (server)
            {
                var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
                (second, inSecond) = (now, now == second ? inSecond + 1 : 1);
                if (inSecond <= 2)
                    return TestUpstream.SayAsync(context, 200, TestUpstream.Completion);
            }

            context.Response.Headers["retry-after-ms"] = "300";
            return TestUpstream.SayAsync(context, 429, """{"error":{"message":"slow down"}}""");
        };

        var batch = await server.RunAsync(20, TimeSpan.FromSeconds(120)); // the pace is learned

        Counts(batch).ShouldBe((20, 20, 0));
    }

    [Fact]
    public async Task A_batch_waits_for_an_upstream_that_is_away_and_tells_for_what()
    {
        var bringBack = await server.TakeDownAsync();
        var id = await server.CreateAsync(await server.UploadAsync(Lines(3)));

        // An item may also wait for its turn, at a pace that was learned before.
        await Eventually.UntilAsync(
            async () => (await server.Http.ReadAsync($"/batches/{id}")).Json.GetProperty("waiting_for") is var why
                && why.ValueKind == JsonValueKind.Object
                && why.GetProperty("reason").GetString()!.Contains("could not be reached", StringComparison.Ordinal)
                && why.GetProperty("upstream").GetString() == "/v1/chat/completions"
                ? why.GetRawText() : null,
            Deadline, "the batch says what it waits for");
        await bringBack();

        Counts(await server.EndAsync(id, TimeSpan.FromSeconds(150))).ShouldBe((3, 3, 0)); // pauses grow up to a minute
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("br")]
    [InlineData("zstd")]
    public async Task A_compressed_answer_is_decoded(string encoding)
    {
        server.Upstream.Usual = async context =>
        {
            context.Response.ContentType = "application/json";
            context.Response.Headers.ContentEncoding = encoding;
            await using Stream packed = encoding switch
            {
                "gzip" => new GZipStream(context.Response.Body, CompressionLevel.Fastest),
                "br" => new BrotliStream(context.Response.Body, CompressionLevel.Fastest),
                _ => new CompressionStream(context.Response.Body),
            };
            await packed.WriteAsync(Encoding.UTF8.GetBytes(TestUpstream.Completion));
        };

        var batch = await server.RunAsync(1, Deadline);

        (await server.LinesAsync(batch, "output_file_id")).Single().GetProperty("response").GetProperty("body").GetRawText()
            .ShouldBe(TestUpstream.Completion);
        server.Upstream.Requests.ShouldAllBe(r => r.Header("Accept-Encoding")!.Contains(encoding, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("<html>Sign in</html>")]
    [InlineData("null")]
    [InlineData("plain text")]
    public async Task A_success_without_a_JSON_object_is_a_failed_line(string body)
    {
        server.Upstream.Usual = context => TestUpstream.SayAsync(context, 200, body, "text/html");

        var batch = await server.RunAsync(1, Deadline);

        Counts(batch).ShouldBe((1, 0, 1));
        var response = (await server.LinesAsync(batch, "error_file_id")).Single().GetProperty("response");
        response.GetProperty("status_code").GetInt32().ShouldBe(502);
        response.GetProperty("body").GetProperty("error").GetProperty("message").GetString()!.ShouldContain(body);
    }

    [Fact]
    public async Task A_large_answer_and_a_large_line_are_kept()
    {
        var large = new string('x', 1_300_000);
        server.Upstream.Usual = context => TestUpstream.SayAsync(context, 200, $$"""{"data":"{{large}}"}""");

        var batch = await server.EndAsync(await server.CreateAsync(await server.UploadAsync(Line("r1", $",\"image\":\"{large}\""))),
            Deadline);

        Counts(batch).ShouldBe((1, 1, 0));
        (await server.LinesAsync(batch, "output_file_id")).Single().GetProperty("response").GetProperty("body").GetProperty("data")
            .GetString().ShouldBe(large);
        server.Upstream.Requests.ShouldContain(r => r.Body.Length > large.Length);
    }

    [Fact]
    public async Task Outputs_have_no_character_that_some_readers_take_for_the_end_of_a_line()
    {
        server.Upstream.Usual = context => TestUpstream.SayAsync(context, 200, "{\"text\":\"a\u2028b\u2029c\u0085d\"}");

        var batch = await server.RunAsync(1, Deadline);

        var text = await server.Http.GetStringAsync(
            new Uri($"/v1/files/{batch.GetProperty("output_file_id").GetString()}/content", UriKind.Relative));
        text.Count(c => c is '\u2028' or '\u2029' or '\u0085').ShouldBe(0);
        JsonDocument.Parse(text).RootElement.GetProperty("response").GetProperty("body").GetProperty("text").GetString()
            .ShouldBe("a\u2028b\u2029c\u0085d");
    }

    [Theory]
    [InlineData("1h", true)]
    [InlineData("24h", false)]
    public async Task Items_have_five_attempts_and_go_first_if_there_is_little_time(string window, bool isUrgent)
    {
        server.Upstream.Usual = context => TestUpstream.SayAsync(context, 200, TestUpstream.Completion);

        var id = await server.CreateAsync(await server.UploadAsync(Lines(2)), window: window);

        Counts(await server.EndAsync(id, Deadline)).ShouldBe((2, 2, 0));
        (await server.TasksAsync(id)).Select(t => (t.MaxAttempts, t.Priority == Priority.High))
            .ShouldBe([(5, isUrgent), (5, isUrgent)]);
    }

    [Fact]
    public async Task Items_have_five_attempts_also_in_another_queue_that_the_upstream_serves()
    {
        const string Queue = "served-model";
        server.Upstream.Usual = context => TestUpstream.SayAsync(context, 200, TestUpstream.Completion);
        using var registered = await server.Http.PostAsync(new Uri("/v1/queue/register", UriKind.Relative),
            new StringContent($$"""{"queue":"{{Queue}}","endpoint":"/v1/chat/completions"}"""));
        registered.EnsureSuccessStatusCode();
        var line = $$$"""{"custom_id":"r","method":"POST","url":"/v1/chat/completions","body":{"model":"{{{Queue}}}"}}""";

        var id = await server.CreateAsync(await server.UploadAsync(line));

        Counts(await server.EndAsync(id, Deadline)).ShouldBe((1, 1, 0));
        (await server.TasksAsync(id)).Select(t => (t.Queue, t.MaxAttempts)).ShouldBe([(Queue, 5)]);
    }
}

/// <summary>A server with an upstream for <c>/v1/chat/completions</c>.</summary>
public abstract class BatchUpstreamServer(DatabaseProvider provider, params string[] roles) : IAsyncLifetime
{
    private readonly List<TestHost> _hosts = [];
    private TestDatabase _database = null!;
    private string? _rabbitMq;

    internal TestUpstream Upstream { get; private set; } = null!;

    internal HttpClient Http => _hosts[0].Http;

    public async Task InitializeAsync()
    {
        Upstream = await TestUpstream.StartAsync();
        _database = await TestDatabase.CreateAsync(provider);
        _rabbitMq = provider == DatabaseProvider.Sqlite ? null : await TestServers.CreateVirtualHostAsync();
        var settings = new Dictionary<string, string?>
        {
            ["TaskQueue:Upstreams:0:Endpoint"] = "/v1/chat/completions",
            ["TaskQueue:Upstreams:0:BaseUrl"] = Upstream.Address.ToString(),
            ["Logging:LogLevel:Default"] = "Error",
        };
        foreach (var role in roles.DefaultIfEmpty("api,scheduler,consumers"))
            _hosts.Add(await TestHost.StartAsync(_database.ConnectionString, _rabbitMq, role, settings));
    }

    public async Task DisposeAsync()
    {
        foreach (var host in _hosts)
            await host.DisposeAsync();
        if (_rabbitMq is not null)
            await TestServers.DeleteVirtualHostAsync(_rabbitMq);
        await _database.DisposeAsync();
        await Upstream.DisposeAsync();
    }

    /// <summary>Stops the upstream; the function restarts it at the same address.</summary>
    internal async Task<Func<Task>> TakeDownAsync()
    {
        var port = Upstream.Address.Port;
        await Upstream.DisposeAsync();
        return async () => Upstream = await TestUpstream.StartAsync(port);
    }

    internal static string Line(string customId, string more = "") =>
        $$$"""{"custom_id":"{{{customId}}}","method":"POST","url":"/v1/chat/completions","body":{"model":"m"{{{more}}}}}""";

    internal static string Lines(int count) =>
        string.Join('\n', Enumerable.Range(0, count).Select(n => n.ToString(CultureInfo.InvariantCulture))
            .Select(n => Line($"r{n}", $",\"n\":{n}")));

    internal async Task<string> UploadAsync(string lines)
    {
        using var form = new MultipartFormDataContent { { new StringContent("batch"), "purpose" },
            { new ByteArrayContent(Encoding.UTF8.GetBytes(lines)), "file", "in.jsonl" } };
        return (await BellaServer.ReadAsync(await Http.PostAsync(new Uri("/v1/files", UriKind.Relative), form))).Ok()
            .GetProperty("id").GetString()!;
    }

    internal async Task<string> CreateAsync(string file, string more = "", string window = "24h")
    {
        using var body = new StringContent(
            $$"""{"input_file_id":"{{file}}","endpoint":"/v1/chat/completions","completion_window":"{{window}}"{{more}}}""");
        return (await BellaServer.ReadAsync(await Http.PostAsync(new Uri("/v1/batches", UriKind.Relative), body))).Ok()
            .GetProperty("id").GetString()!;
    }

    /// <summary>The tasks of a batch, as they are stored.</summary>
    internal async Task<List<TaskState>> TasksAsync(string id)
    {
        var batch = BatchId.Parse(id)!.ToGuid();
        await using var db = _database.CreateContext();
        return await db.Tasks.AsNoTracking().Where(t => t.BatchId == batch).ToListAsync();
    }

    internal async Task<JsonElement> RunAsync(int lines, TimeSpan deadline) =>
        await EndAsync(await CreateAsync(await UploadAsync(Lines(lines))), deadline);

    internal async Task<JsonElement> EndAsync(string id, TimeSpan deadline) =>
        (JsonElement)await Eventually.UntilAsync(
            async () => (await BellaServer.ReadAsync(await Http.GetAsync(new Uri($"/v1/batches/{id}", UriKind.Relative)))).Ok() is var batch
                && batch.GetProperty("status").GetString() is "completed" or "failed" or "expired" or "cancelled" ? (object)batch : null,
            deadline, $"{id} has ended");

    internal async Task<List<JsonElement>> LinesAsync(JsonElement batch, string file) =>
        [.. (await Http.GetStringAsync(new Uri($"/v1/files/{batch.GetProperty(file).GetString()}/content", UriKind.Relative)))
            .TrimEnd('\n').Split('\n').Select(l => JsonDocument.Parse(l).RootElement)];

    internal static (int, int, int) Counts(JsonElement batch) =>
        batch.GetProperty("request_counts") is var c
            ? (c.GetProperty("total").GetInt32(), c.GetProperty("completed").GetInt32(), c.GetProperty("failed").GetInt32()) : default;
}

public sealed class BatchUpstreamsOnSqlite() : BatchUpstreamServer(DatabaseProvider.Sqlite);

/// <summary>PostgreSQL and RabbitMQ, one process per role.</summary>
public sealed class BatchUpstreamsOnServers() : BatchUpstreamServer(DatabaseProvider.Postgres, "api", "scheduler", "consumers");
