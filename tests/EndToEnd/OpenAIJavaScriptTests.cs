using System.Text.Json;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The official JavaScript client, unmodified, against a server whose worker uses bella's API.</summary>
public sealed class OpenAIJavaScriptTests(BellaOnPostgres server) : IClassFixture<BellaOnPostgres>
{
    [Fact]
    public async Task The_official_client_runs_batches()
    {
        var folder = Repository.Clients;
        var queue = await server.RegisterAsync();
        using var stop = new CancellationTokenSource();
        var working = BatchWorker.RunAsync(server.OtherHttp, queue, stop.Token);

        using var node = new Command("node", [Path.Combine(folder, "openai.mjs"), $"{server.Http.BaseAddress}v1", TestKeys.Of("A"), queue]);
        (await node.WaitAsync(TimeSpan.FromSeconds(90))).ShouldBe(0, node.Output);
        await stop.CancelAsync();
        await working;

        var said = JsonDocument.Parse(node.Output.Trim().Split('\n')[^1]).RootElement;
        said.GetProperty("file").GetProperty("status").GetString().ShouldBe("processed");
        said.GetProperty("created").GetProperty("status").GetString().ShouldBe("validating");
        var completed = said.GetProperty("completed");
        completed.GetProperty("status").GetString().ShouldBe("completed");
        completed.GetProperty("request_counts").GetProperty("completed").GetInt32().ShouldBe(3);
        completed.GetProperty("metadata").GetProperty("by").GetString().ShouldBe("js");
        var lines = said.GetProperty("output").GetString()!.Trim().Split('\n').Select(l => JsonDocument.Parse(l).RootElement).ToList();
        lines.Select(l => l.GetProperty("custom_id").GetString()).Order().ShouldBe(["r0", "r1", "r2"]);
        lines.ShouldAllBe(l => l.GetProperty("response").GetProperty("status_code").GetInt32() == 200);
        said.GetProperty("cancelled").GetString().ShouldBeOneOf("cancelling", "cancelled", "completed");
        said.GetProperty("ended").GetString().ShouldBeOneOf("cancelled", "completed");
        said.GetProperty("listed").EnumerateArray().Select(i => i.GetString())
            .ShouldBe([said.GetProperty("second").GetString(), said.GetProperty("created").GetProperty("id").GetString()]);
        said.GetProperty("missing").GetInt32().ShouldBe(404);
    }
}

/// <summary>Takes the tasks of a queue's first offline level and answers each with its own body.</summary>
internal static class BatchWorker
{
    public static async Task RunAsync(HttpClient http, string queue, CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            var tasks = await Eventually.UntilAsync(
                async () =>
                    cancellationToken.IsCancellationRequested ? [] : await TakeAsync(http, queue) is { Count: > 0 } taken ? taken : null,
                TimeSpan.FromSeconds(90), $"a task comes to {queue}, or the end");
            foreach (var task in tasks)
            {
                var id = task.GetProperty("task_id").GetString();
                var result = $$"""{"status_code":200,"request_id":"{{id}}","body":{{task.GetProperty("data").GetRawText()}}}""";
                (await BellaServer.ReadAsync(await http.PostAsync(BellaServer.Uri($"{id}/complete"), new StringContent(result),
                    CancellationToken.None))).Ok();
            }
        }
    }

    private static async Task<List<JsonElement>> TakeAsync(HttpClient http, string queue) =>
        [.. (await BellaServer.TakeAtAsync(http, "fifo", 10, [$"{queue}:1"])).EnumerateObject().SelectMany(q => q.Value.EnumerateArray())];
}
