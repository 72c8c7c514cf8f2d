using System.ClientModel;
using System.Text;
using System.Text.Json;
using OpenAI;
using OpenAI.Files;
using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

#pragma warning disable OPENAI001 // its batches are a preview

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Batches and waiting callers without a worker: an upstream does the work, in another process if there is one.</summary>
public sealed class OpenAIUpstreamTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    [Theory]
    [InlineData(DatabaseProvider.Sqlite)]
    [InlineData(DatabaseProvider.Postgres, "api", "scheduler", "consumers")]
    public async Task The_official_client_gets_its_batch_done(DatabaseProvider provider, params string[] roles)
    {
        await using var upstream = await TestUpstream.StartAsync();
        await using var servers = await Servers.StartAsync(provider, roles, upstream);
        var client = ClientOf(servers);
        var lines = string.Join('\n', Enumerable.Range(0, 20).Select(n =>
            $$$"""{"custom_id":"r{{{n}}}","method":"POST","url":"/v1/chat/completions","body":{"model":"any","n":{{{n}}}}}"""));
        upstream.Next(400, """{"error":{"message":"no"}}""");
        var batch = await RunBatchAsync(client, lines);

        var counts = JsonDocument.Parse(batch).RootElement.GetProperty("request_counts");
        (counts.GetProperty("total").GetInt32(), counts.GetProperty("completed").GetInt32(), counts.GetProperty("failed").GetInt32())
            .ShouldBe((20, 19, 1));
        var output = (await client.GetOpenAIFileClient()
            .DownloadFileAsync(JsonDocument.Parse(batch).RootElement.GetProperty("output_file_id").GetString())).Value.ToString();
        output.Trim().Split('\n').ShouldAllBe(l => l.Contains("\"body\":" + TestUpstream.Completion, StringComparison.Ordinal));
        upstream.Requests.Count.ShouldBe(20);
    }

    [Theory]
    [InlineData(DatabaseProvider.Sqlite)]
    [InlineData(DatabaseProvider.Postgres, "api", "scheduler", "consumers")]
    public async Task A_streaming_put_gets_what_the_upstream_streams(DatabaseProvider provider, params string[] roles)
    {
        await using var upstream = await TestUpstream.StartAsync();
        await using var servers = await Servers.StartAsync(provider, roles, upstream);
        upstream.Next(context =>
            TestUpstream.SayAsync(context, 200, "data: {\"n\":1}\n\ndata: {\"n\":2}\n\ndata: [DONE]\n\n", "text/event-stream"));

        using var answer = await servers.Api.Http.PostAsync(new Uri("/v1/queue/put", UriKind.Relative), new StringContent(
            """{"queue":"v1-chat-completions","endpoint":"/v1/chat/completions","response_mode":"streaming","data":"""
            + """{"model":"m","stream":true}}"""));

        answer.Content.Headers.ContentType!.MediaType.ShouldBe("text/event-stream");
        (await answer.Content.ReadAsStringAsync())
            .ShouldBe("id:0\nevent:message\ndata:{\"n\":1}\n\nid:1\nevent:message\ndata:{\"n\":2}\n\nid:2\nevent:message\ndata:[DONE]\n\n");
    }

    [Fact]
    public async Task A_blocking_put_gets_the_status_and_body_of_the_upstream()
    {
        await using var upstream = await TestUpstream.StartAsync();
        await using var servers = await Servers.StartAsync(DatabaseProvider.Sqlite, [], upstream);
        upstream.Next(418, """{"teapot":true}""");

        using var answer = await servers.Api.Http.PostAsync(new Uri("/v1/queue/put", UriKind.Relative), new StringContent(
            """{"queue":"v1-chat-completions","endpoint":"/v1/chat/completions","response_mode":"blocking","data":{}}"""));

        ((int)answer.StatusCode).ShouldBe(418);
        (await answer.Content.ReadAsStringAsync()).ShouldBe("""{"teapot":true}""");
    }

    [Fact]
    public async Task A_caller_that_waits_is_answered_after_its_task_waited_in_the_queue_for_a_budget()
    {
        await using var upstream = await TestUpstream.StartAsync();
        await using var servers = await Servers.StartAsync(
            DatabaseProvider.Sqlite, [], upstream, ("TaskQueue:Upstreams:0:OwnerRequestsPerMinute", "12"));

        for (var n = 0; n < 13; n++) // the last may be sent after five seconds, and no slot is held for more than two
        {
            using var answer = await servers.Api.Http.PostAsync(new Uri("/v1/queue/put", UriKind.Relative), new StringContent(
                """{"queue":"v1-chat-completions","endpoint":"/v1/chat/completions","response_mode":"blocking","data":{}}"""));
            (await answer.Content.ReadAsStringAsync()).ShouldBe(TestUpstream.Completion);
        }

        upstream.Requests.Count.ShouldBe(13);
    }

    [Theory]
    [InlineData(DatabaseProvider.Sqlite)]
    [InlineData(DatabaseProvider.Postgres, "api", "scheduler", "consumers")]
    public async Task A_batch_goes_on_at_the_fallback_while_its_model_is_refused(DatabaseProvider provider, params string[] roles)
    {
        await using var upstream = await TestUpstream.StartAsync();
        await using var fallback = await TestUpstream.StartAsync();
        upstream.Usual = context =>
        {
            if (!TestUpstream.BodyOf(context).Contains("\"full\"", StringComparison.Ordinal))
                return TestUpstream.SayAsync(context, 200, TestUpstream.Completion);
            context.Response.Headers.RetryAfter = "600";
            return TestUpstream.SayAsync(context, 429, """{"error":{"message":"quota"}}""");
        };
        await using var servers = await Servers.StartAsync(provider, roles, upstream, [.. Second(fallback),
            ("TaskQueue:Upstreams:1:IsFallback", "true")]);
        var client = ClientOf(servers);
        (await client.GetChatClient("free").CompleteChatAsync("hello")).Value.Content[0].Text.ShouldBe("ok");

        var batch = await RunBatchAsync(client, string.Join('\n', Enumerable.Range(0, 20).Select(n =>
            $$$"""{"custom_id":"r{{{n}}}","method":"POST","url":"/v1/chat/completions","body":{"model":"full"}}""")));
        (await client.GetChatClient("free").CompleteChatAsync("hello")).Value.Content[0].Text.ShouldBe("ok");

        JsonDocument.Parse(batch).RootElement.GetProperty("request_counts").GetProperty("completed").GetInt32().ShouldBe(20);
        fallback.Requests.Count.ShouldBe(20);
        fallback.Requests.ShouldAllBe(r => r.Body.Contains("\"full\"", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Callers_are_answered_by_another_upstream_while_one_is_away()
    {
        var away = await TestUpstream.StartAsync();
        await using var other = await TestUpstream.StartAsync();
        await using var servers = await Servers.StartAsync(DatabaseProvider.Sqlite, [], away, Second(other));
        await away.DisposeAsync();

        for (var n = 0; n < 8; n++)
        {
            using var answer = await servers.Api.Http.PostAsync(new Uri("/v1/chat/completions", UriKind.Relative), new StringContent(
                """{"model":"m","messages":[{"role":"user","content":"hello"}]}""", Encoding.UTF8, "application/json"));
            (await answer.Content.ReadAsStringAsync()).ShouldBe(TestUpstream.Completion);
        }

        other.Requests.Count.ShouldBe(8);
    }

    [Theory]
    [InlineData("gpt-named", "fast")]
    [InlineData("any", "usual")]
    [InlineData("own", "own")]
    public async Task A_request_goes_to_the_queue_that_is_configured_for_its_model(string model, string queue)
    {
        await using var upstream = await TestUpstream.StartAsync();
        await using var servers = await Servers.StartAsync(DatabaseProvider.Sqlite, [], upstream,
            ("TaskQueue:Routing:Models:gpt-named", "fast"), ("TaskQueue:Routing:DefaultQueue", "usual"));
        foreach (var name in new[] { "fast", "usual", "own" })
        {
            using var registered = await servers.Api.Http.PostAsync(new Uri("/v1/queue/register", UriKind.Relative),
                new StringContent($$"""{"queue":"{{name}}","endpoint":"/v1/chat/completions"}"""));
            registered.EnsureSuccessStatusCode();
        }

        (await ClientOf(servers).GetChatClient(model).CompleteChatAsync("hello")).Value.Content[0].Text.ShouldBe("ok");

        var tasks = (await servers.Api.Http.ReadAsync("/tasks?name=/v1/chat/completions")).Json.GetProperty("tasks");
        tasks.EnumerateArray().ShouldHaveSingleItem().GetProperty("queue").GetString().ShouldBe(queue);
    }

    [Fact]
    public async Task An_owner_that_has_used_its_tokens_waits_until_it_has_some_again()
    {
        await using var upstream = await TestUpstream.StartAsync();
        upstream.Usual = context => TestUpstream.SayAsync(context, 200,
            TestUpstream.Completion.Replace("{\"id\"", "{\"usage\":{\"total_tokens\":6500},\"id\"", StringComparison.Ordinal));
        await using var servers = await Servers.StartAsync(
            DatabaseProvider.Sqlite, [], upstream, ("TaskQueue:Upstreams:0:OwnerTokensPerMinute", "6000"));
        await AskAsync();
        var start = TimeProvider.System.GetTimestamp();

        await AskAsync();

        TimeProvider.System.GetElapsedTime(start).ShouldBeGreaterThan(TimeSpan.FromSeconds(3)); // 500 too many, 100 come back each second
        upstream.Requests.Count.ShouldBe(2);

        async Task AskAsync()
        {
            using var answer = await servers.Api.Http.PostAsync(new Uri("/v1/chat/completions", UriKind.Relative),
                new StringContent("""{"model":"m","messages":[],"max_tokens":10}"""));
            answer.EnsureSuccessStatusCode();
        }
    }

    private static OpenAIClient ClientOf(Servers servers) => new(new ApiKeyCredential("sk-anything"),
        new OpenAIClientOptions { Endpoint = new Uri(servers.Api.Http.BaseAddress!, "/v1") });

    /// <summary>Runs a batch until it is completed.</summary>
    private static async Task<string> RunBatchAsync(OpenAIClient client, string lines)
    {
        OpenAIFile file = await client.GetOpenAIFileClient()
            .UploadFileAsync(new MemoryStream(Encoding.UTF8.GetBytes(lines)), "in.jsonl", FileUploadPurpose.Batch);

        var operation = await client.GetBatchClient().CreateBatchAsync(
            BinaryContent.Create(BinaryData.FromString(
                $$"""{"input_file_id":"{{file.Id}}","endpoint":"/v1/chat/completions","completion_window":"24h"}""")),
            waitUntilCompleted: false);
        return await Eventually.UntilAsync(
            async () =>
                (await operation.GetBatchAsync(options: null)).GetRawResponse().Content.ToString() is var text
                    && text.Contains("\"status\":\"completed\"", StringComparison.Ordinal) ? text : null,
            Deadline, "the batch is completed");
    }

    private static (string, string)[] Second(TestUpstream upstream) =>
    [
        ("TaskQueue:Upstreams:1:Endpoint", "/v1/chat/completions"), ("TaskQueue:Upstreams:1:BaseUrl", upstream.Address.ToString()),
    ];

    /// <summary>Processes of one deployment, the first with the Api role.</summary>
    private sealed class Servers(TestDatabase database, string? rabbitMq, List<TestHost> hosts) : IAsyncDisposable
    {
        public TestHost Api => hosts[0];

        public static async Task<Servers> StartAsync(DatabaseProvider provider, string[] roles, TestUpstream upstream,
            params (string Key, string Value)[] more)
        {
            var database = await TestDatabase.CreateAsync(provider);
            var rabbitMq = provider == DatabaseProvider.Sqlite ? null : await TestServers.CreateVirtualHostAsync();
            var settings = new Dictionary<string, string?>
            {
                ["TaskQueue:Upstreams:0:Endpoint"] = "/v1/chat/completions",
                ["TaskQueue:Upstreams:0:BaseUrl"] = upstream.Address.ToString(),
                ["Logging:LogLevel:Default"] = "Error",
            };
            foreach (var (key, value) in more)
                settings[key] = value;
            var hosts = new List<TestHost>();
            foreach (var role in roles.DefaultIfEmpty("api,scheduler,consumers"))
                hosts.Add(await TestHost.StartAsync(database.ConnectionString, rabbitMq, role, settings));
            return new Servers(database, rabbitMq, hosts);
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var host in hosts)
                await host.DisposeAsync();
            if (rabbitMq is not null)
                await TestServers.DeleteVirtualHostAsync(rabbitMq);
            await database.DisposeAsync();
        }
    }
}
