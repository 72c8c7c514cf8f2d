using System.Diagnostics;
using System.Text;
using System.Text.Json;
using TaskQueue.Bench.Load;
using TaskQueue.Bench.Reporting;
using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Scenarios;

/// <summary>A batch of 50,000 lines: time until its tasks exist, and end to end against an instant upstream.</summary>
internal static class BatchScenario
{
    private const string Endpoint = "/v1/chat/completions";
    private const double SplitGoal = 5, MemoryGoal = 100, RateGoal = 3000;

    /// <summary>Time from the response of POST /v1/batches until every task can be claimed, and growth of the server's memory.</summary>
    public static async Task<IReadOnlyList<Figure>> SplitAsync(BenchRun run)
    {
        await using var database = await run.CreateDatabaseAsync();
        using var server = await run.StartServerAsync(database);
        await new BellaClient(server, run.Stop).RegisterAsync(["model"]);
        await new Wrk(run, server, "/tasks", Bodies.One(Bodies.PullQueue), 16).RunAsync(run.Sizes.WarmUp);
        var file = await UploadAsync(run, server);
        var before = server.ReadMemory();
        var grown = new List<double>();
        var seconds = await run.SampleAsync(async () =>
        {
            var there = await CountAsync(database) + run.Sizes.Lines;
            await CreateAsync(run, server, file);
            var since = Stopwatch.GetTimestamp();
            await Wait.UntilAsync(
                async () => await CountAsync(database) == there, TimeSpan.FromMinutes(5), "every line is a task", run.Stop);
            grown.Add(server.ReadMemory().Peak - before.Peak);
            return Stopwatch.GetElapsedTime(since).TotalSeconds;
        });
        server.DemandNoTrouble();
        return
        [
            new($"batch of {run.Sizes.Lines:#,0} lines, accepted → all tasks visible", new Series(seconds, Unit.Seconds),
                Goals: Goal.ValueAtMost(SplitGoal)),
            new("growth of the peak of resident memory by it (VmHWM)", new Series(grown, Unit.Megabytes),
                Goals: Goal.ValueAtMost(MemoryGoal)),
        ];
    }

    /// <summary>Time from POST /v1/batches to completed, with the built-in executor.</summary>
    public static async Task<IReadOnlyList<Figure>> RunAsync(BenchRun run)
    {
        await using var upstream = await InstantUpstream.StartAsync();
        await using var database = await run.CreateDatabaseAsync();
        await run.Broker.CleanAsync();
        using var server = await ServerProcess.StartAsync(BenchRun.AllRoles, database.ConnectionString, run.Options.RabbitMq, run.Stop,
            new Dictionary<string, string>
        {
            ["TaskQueue__Upstreams__0__Endpoint"] = Endpoint,
            ["TaskQueue__Upstreams__0__BaseUrl"] = upstream.Url,
            ["TaskQueue__Upstreams__0__MaxConcurrency"] = "64",
        });
        var file = await UploadAsync(run, server);
        var rates = await run.SampleAsync(async () =>
        {
            var since = Stopwatch.GetTimestamp();
            var id = await CreateAsync(run, server, file);
            await Wait.UntilAsync(
                async () => await StatusAsync(run, server, id) == "completed",
                TimeSpan.FromMinutes(10), "the batch is completed", run.Stop);
            return run.Sizes.Lines / Stopwatch.GetElapsedTime(since).TotalSeconds;
        });
        if (upstream.Requests != rates.Count * run.Sizes.Lines)
            throw new BenchException($"the upstream had {upstream.Requests} requests for {rates.Count * run.Sizes.Lines} lines");
        server.DemandNoTrouble();
        return [new($"batch of {run.Sizes.Lines:#,0} lines against an instant upstream, 64 at once, end to end",
            new Series(rates, Unit.LinesPerSecond), Goals: Goal.ValueAtLeast(RateGoal))];
    }

    private static async Task<string> UploadAsync(BenchRun run, ServerProcess server)
    {
        var lines = string.Join('\n', Enumerable.Range(0, run.Sizes.Lines).Select(n =>
            $$$"""{"custom_id":"request-{{{n}}}","method":"POST","url":"/v1/chat/completions","body":"""
            + """{"model":"model","messages":[{"role":"user","content":"hello worldhello worldhello world"}]}}"""));
        using var form = new MultipartFormDataContent { { new StringContent("batch"), "purpose" },
            { new ByteArrayContent(Encoding.UTF8.GetBytes(lines)), "file", "in.jsonl" } };
        using var answer = await server.Http.PostAsync("/v1/files", form, run.Stop);
        return await TextAsync(answer, "id", run.Stop);
    }

    private static async Task<string> CreateAsync(BenchRun run, ServerProcess server, string file)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/batches")
        {
            Content = Bodies.Json($$"""{"input_file_id":"{{file}}","endpoint":"{{Endpoint}}","completion_window":"24h"}"""),
        };
        request.Headers.Add("X-Bella-Dialect", "openai");
        using var answer = await server.Http.SendAsync(request, run.Stop);
        return await TextAsync(answer, "id", run.Stop);
    }

    private static async Task<string> StatusAsync(BenchRun run, ServerProcess server, string id)
    {
        using var answer = await server.Http.GetAsync($"/v1/batches/{id}", run.Stop);
        return await TextAsync(answer, "status", run.Stop);
    }

    private static async Task<string> TextAsync(HttpResponseMessage answer, string member, CancellationToken cancellationToken)
    {
        var body = await answer.Content.ReadAsStringAsync(cancellationToken);
        if (!answer.IsSuccessStatusCode)
            throw new BenchException($"{(int)answer.StatusCode} {body}");
        using var document = JsonDocument.Parse(body);
        return document.RootElement.GetProperty(member).GetString()!;
    }

    private static Task<long> CountAsync(BenchDatabase database) => database.CountTasksAsync("batch_id is not null");
}
