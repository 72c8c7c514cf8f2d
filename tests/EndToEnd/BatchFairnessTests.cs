using System.Text;
using System.Text.Json;
using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Batches of two owners at one upstream.</summary>
public sealed class BatchFairnessTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData(DatabaseProvider.Sqlite)]
    [InlineData(DatabaseProvider.Postgres)]
    public async Task A_large_batch_of_one_owner_does_not_hold_up_a_small_one_of_another(DatabaseProvider provider)
    {
        const int Large = 60, Small = 3;
        await using var upstream = await TestUpstream.StartAsync();
        var running = new SemaphoreSlim(0);
        upstream.Usual = async context =>
        {
            await running.WaitAsync(context.RequestAborted);
            await TestUpstream.SayAsync(context, 200, TestUpstream.Completion);
        };
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var host = await StartAsync(database, upstream);
        var large = await CreateAsync(host.Http, "A", Large);
        await Eventually.UntilAsync(
            async () => (await ReadAsync(host.Http, "A", large)).GetProperty("request_counts").GetProperty("total").GetInt32() == Large
                && !upstream.Requests.IsEmpty, Deadline, "the large batch runs");
        var small = await CreateAsync(host.Http, "B", Small);
        await Eventually.UntilAsync(
            async () => (await ReadAsync(host.Http, "B", small)).GetProperty("status").GetString() == "in_progress",
            Deadline, "the small batch runs");

        // Enough for the small batch if both have every second turn, with a reserve for those that were claimed before.
        running.Release(Large / 2);

        await Eventually.UntilAsync(
            async () => (await ReadAsync(host.Http, "B", small)).GetProperty("status").GetString() == "completed",
            Deadline, "the small batch has completed");
        (await ReadAsync(host.Http, "A", large)).GetProperty("status").GetString().ShouldBe("in_progress");
        running.Release(Large);
    }

    [Fact]
    public async Task A_retry_is_not_in_the_lane_of_another_owner()
    {
        await using var upstream = await TestUpstream.StartAsync();
        upstream.Usual = context => TestUpstream.SayAsync(context, 400, """{"error":{"message":"no"}}""");
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var host = await StartAsync(database, upstream);
        var failed = await CreateAsync(host.Http, "A", 1);
        await Eventually.UntilAsync(
            async () => (await ReadAsync(host.Http, "A", failed)).GetProperty("status").GetString() == "completed",
            Deadline, "the batch has ended");
        var gate = new TaskCompletionSource();
        upstream.Usual = async context =>
        {
            await gate.Task;
            await TestUpstream.SayAsync(context, 200, TestUpstream.Completion);
        };
        var other = await CreateAsync(host.Http, "B", 1);

        var retried = (await SendAsync(host.Http, "A", HttpMethod.Post, $"/v1/batches/{failed}/retry-failed", null))
            .GetProperty("id").GetString()!;

        var lanes = (await TierAsync(host.Http, "A", failed), await TierAsync(host.Http, "B", other),
            await TierAsync(host.Http, "A", retried));
        gate.SetResult();
        lanes.ShouldBe((1, 1, 2));
    }

    private static Task<TestHost> StartAsync(TestDatabase database, TestUpstream upstream)
    {
        var settings = new Dictionary<string, string?>(BellaServer.Settings)
        {
            ["TaskQueue:Bella:Dialect"] = "openai",
            ["TaskQueue:Upstreams:0:Endpoint"] = "/v1/chat/completions",
            ["TaskQueue:Upstreams:0:BaseUrl"] = upstream.Address.ToString(),
            ["TaskQueue:Upstreams:0:MaxConcurrency"] = "1",
        };
        return TestHost.StartAsync(database.ConnectionString, settings: settings);
    }

    private static async Task<string> CreateAsync(HttpClient http, string key, int lines)
    {
        using var form = new MultipartFormDataContent { { new StringContent("batch"), "purpose" },
            { new ByteArrayContent(Encoding.UTF8.GetBytes(BatchUpstreamServer.Lines(lines))), "file", "in.jsonl" } };
        var file = (await SendAsync(http, key, HttpMethod.Post, "/v1/files", form)).GetProperty("id").GetString();
        using var body = new StringContent(
            $$"""{"input_file_id":"{{file}}","endpoint":"/v1/chat/completions","completion_window":"24h"}""");
        return (await SendAsync(http, key, HttpMethod.Post, "/v1/batches", body)).GetProperty("id").GetString()!;
    }

    private static async Task<int> TierAsync(HttpClient http, string key, string id) =>
        (await SendAsync(http, key, HttpMethod.Get, $"/batches/{id}", null)).GetProperty("tier").GetInt32();

    private static Task<JsonElement> ReadAsync(HttpClient http, string key, string id) =>
        SendAsync(http, key, HttpMethod.Get, $"/v1/batches/{id}", null);

    private static async Task<JsonElement> SendAsync(HttpClient http, string key, HttpMethod method, string path, HttpContent? content)
    {
        using var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative)) { Content = content };
        request.Headers.Add("Authorization", $"Bearer {TestKeys.Of(key)}");
        return (await BellaServer.ReadAsync(await http.SendAsync(request))).Ok();
    }
}
