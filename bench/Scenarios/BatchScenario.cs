using System.Diagnostics;
using System.Text;
using System.Text.Json;
using TaskQueue.Bench.Load;
using TaskQueue.Bench.Reporting;
using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Scenarios;

/// <summary>
/// A batch of 50,000 lines, short or of 200 MB: time until its tasks exist, and end to end against an instant upstream; also as a hundred
/// batches at once.
/// </summary>
internal static class BatchScenario
{
    private const string Endpoint = "/v1/chat/completions";
    private const double SplitGoal = 5, MemoryGoal = 100, RateGoal = 3000;
    private const int AtOnce = 100;

    /// <summary>Lines that were processed, recorded in the transaction that inserts their tasks; reads no task.</summary>
    private const string LinesDone = "select coalesce(sum(lines_done), 0) from batches";

    /// <summary>Characters of a line of a large batch: 50,000 are 200 MB.</summary>
    private const int LargeLine = 4000;

    /// <summary>Time from the response of POST /v1/batches until every task can be claimed, and growth of the server's memory.</summary>
    public static Task<IReadOnlyList<Figure>> SplitAsync(BenchRun run) => SplitAsync(run, characters: 0, "");

    /// <summary>The same with long lines.</summary>
    public static Task<IReadOnlyList<Figure>> SplitLargeAsync(BenchRun run) =>
        SplitAsync(run, LargeLine, $" of {LargeLine:#,0} characters");

    /// <summary>Time from POST /v1/batches to completed, with the built-in executor.</summary>
    public static async Task<IReadOnlyList<Figure>> RunAsync(BenchRun run) =>
        [new($"batch of {run.Sizes.Lines:#,0} lines against an instant upstream, 64 at once, end to end",
            new Series(await RunAsync(run, batches: 1), Unit.LinesPerSecond), Goals: Goal.ValueAtLeast(RateGoal))];

    /// <summary>The same with as many lines in a hundred batches.</summary>
    public static async Task<IReadOnlyList<Figure>> RunManyAsync(BenchRun run) =>
        [new($"{AtOnce} batches of {run.Sizes.Lines / AtOnce:#,0} lines at once against an instant upstream, 64 at once, end to end",
            new Series(await RunAsync(run, AtOnce), Unit.LinesPerSecond), Goals: Goal.ValueAtLeast(RateGoal))];

    private static async Task<IReadOnlyList<Figure>> SplitAsync(BenchRun run, int characters, string which)
    {
        await using var database = await run.CreateDatabaseAsync();
        using var server = await run.StartServerAsync(database);
        await new BellaClient(server, run.Stop).RegisterAsync(["model"]);
        await new Wrk(run, server, "/tasks", Bodies.One(Bodies.PullQueue), 16).RunAsync(run.Sizes.WarmUp);
        var file = await UploadAsync(run, server, run.Sizes.Lines, characters);
        var before = server.ReadMemory();
        var grown = new List<double>();
        var seconds = await run.SampleAsync(async () =>
        {
            var (lines, tasks) = (await database.ReadAsync(LinesDone), await CountAsync(database));
            await CreateAsync(run, server, file);
            var since = Stopwatch.GetTimestamp();
            await database.WaitUntilAsync(LinesDone, lines + run.Sizes.Lines, "every line is a task");
            var taken = Stopwatch.GetElapsedTime(since).TotalSeconds;
            grown.Add(server.ReadMemory().Peak - before.Peak);
            if (await CountAsync(database) - tasks is var added && added != run.Sizes.Lines)
                throw new BenchException($"{added:#,0} tasks of {run.Sizes.Lines:#,0} lines");
            return taken;
        });
        server.DemandNoTrouble();
        return
        [
            new($"batch of {run.Sizes.Lines:#,0} lines{which}, accepted → all tasks visible", new Series(seconds, Unit.Seconds),
                Goals: Goal.ValueAtMost(SplitGoal)),
            new("growth of the peak of resident memory by it (VmHWM)", new Series(grown, Unit.Megabytes),
                Goals: Goal.ValueAtMost(MemoryGoal)),
        ];
    }

    private static async Task<List<double>> RunAsync(BenchRun run, int batches)
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
        var lines = run.Sizes.Lines / batches;
        var file = await UploadAsync(run, server, lines);
        var rates = await run.SampleAsync(async () =>
        {
            var since = Stopwatch.GetTimestamp();
            var ids = await Task.WhenAll(Enumerable.Range(0, batches).Select(_ => CreateAsync(run, server, file)));
            foreach (var id in ids)
            {
                await Wait.UntilAsync(async () => await StatusAsync(run, server, id) == "completed",
                    TimeSpan.FromMinutes(10), "the batch is completed", run.Stop);
            }

            return lines * batches / Stopwatch.GetElapsedTime(since).TotalSeconds;
        });
        if (upstream.Requests != rates.Count * lines * batches)
            throw new BenchException($"the upstream had {upstream.Requests} requests for {rates.Count * lines * batches} lines");
        server.DemandNoTrouble();
        return rates;
    }

    private static async Task<string> UploadAsync(BenchRun run, ServerProcess server, int count, int characters = 0)
    {
        var lines = string.Join('\n', Enumerable.Range(0, count).Select(n =>
            $$$"""{"custom_id":"request-{{{n}}}","method":"POST","url":"/v1/chat/completions","body":"""
            + """{"model":"model","messages":[{"role":"user","content":"hello worldhello worldhello world"""
            + new string('x', characters) + "\"}]}}"));
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
