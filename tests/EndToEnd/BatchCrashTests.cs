using System.Text;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Engine.Batches;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>kill -9 of the only scheduler: another process finishes its batch, and each line has one result.</summary>
[Collection(ProcessesCollection.Name)]
public sealed class BatchCrashTests
{
    private const string Queue = "lines";
    private const int Lines = 4000;

    /// <summary>The lease of the killed process on the batch must end first.</summary>
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(4);

    private static readonly Dictionary<string, string> Quiet = new() { ["Logging:LogLevel:Default"] = "Error" };

    [Fact]
    public async Task Another_process_finishes_a_batch_whose_scheduler_was_killed_while_it_made_tasks_of_the_lines()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        await using (var db = database.CreateContext())
        {
            // Each task takes a moment, so that the kill comes between two transactions or within one.
            await db.Database.ExecuteSqlRawAsync(
                """
                create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(0.001); return new; end $$;
                create trigger slow before insert on tasks for each row execute function slow()
                """);
        }

        await RunAsync(database, (batch, _) => batch.LinesDone is > 0 and < Lines);
    }

    [Fact]
    public async Task Another_process_finishes_a_batch_whose_scheduler_was_killed_while_its_items_ran()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);

        await RunAsync(database, (batch, results) => batch.LinesDone == Lines && results is > 0 and < Lines);
    }

    /// <summary>Kills the scheduler when it is time, as the batch and its number of results tell.</summary>
    private static async Task RunAsync(TestDatabase database, Func<BatchState, int, bool> isTime)
    {
        var rabbitMq = await TestServers.CreateVirtualHostAsync();
        try
        {
            await using var api = await TaskQueueProcess.StartAsync("api", database.ConnectionString, rabbitMq, Quiet);
            await using var first = await TaskQueueProcess.StartAsync("scheduler", database.ConnectionString, rabbitMq, Quiet);
            var id = await CreateAsync(api.Http);
            using var stop = new CancellationTokenSource();
            var workers = Enumerable.Range(0, 2).Select(_ => BatchWorker.RunAsync(api.Http, Queue, stop.Token)).ToList();
            await Eventually.UntilAsync(() => IsTimeAsync(database, isTime), Deadline, "it is time for the kill");

            first.Kill();

            (await IsTimeAsync(database, (batch, _) => batch.State == BatchStates.InProgress)).ShouldBeTrue("it was in the middle");
            await using var second = await TaskQueueProcess.StartAsync("scheduler", database.ConnectionString, rabbitMq, Quiet);
            var done = await EndAsync(api.Http, id);
            await stop.CancelAsync();
            await Task.WhenAll(workers);
            done.Text("status").ShouldBe("completed", second.Output);
            BatchUpstreamServer.Counts(done).ShouldBe((Lines, Lines, 0));
            await ShouldHaveOneResultForEachLineAsync(api.Http, done, database);
        }
        finally
        {
            await TestServers.DeleteVirtualHostAsync(rabbitMq);
        }
    }

    private static async Task ShouldHaveOneResultForEachLineAsync(HttpClient http, JsonElement batch, TestDatabase database)
    {
        var output = await http.GetStringAsync(new Uri($"/v1/files/{batch.Text("output_file_id")}/content", UriKind.Relative));
        var results = output.TrimEnd('\n').Split('\n').Select(line => JsonSerializer.Deserialize<JsonElement>(line)).ToList();
        IEnumerable<string?> found = results.Select(r => r.Text("custom_id")).Order(StringComparer.Ordinal);
        IEnumerable<string?> expected = Enumerable.Range(0, Lines).Select(n => $"r{n}").Order(StringComparer.Ordinal);
        found.ShouldBe(expected);
        results.Select(r => r.Text("id")).Distinct().Count().ShouldBe(Lines, "each has its own task");
        foreach (var result in results) // of its own request
        {
            $"r{result.GetProperty("response").GetProperty("body").Whole("n")}".ShouldBe(result.Text("custom_id"));
        }

        await using var db = database.CreateContext();
        (await db.Tasks.CountAsync()).ShouldBe(Lines);
    }

    private static async Task<bool> IsTimeAsync(TestDatabase database, Func<BatchState, int, bool> isTime)
    {
        await using var db = database.CreateContext();
        var batch = await db.Batches.AsNoTracking().SingleAsync();
        return isTime(batch, await db.BatchCounts.SumAsync(c => c.Count));
    }

    private static async Task<string> CreateAsync(HttpClient http)
    {
        (await http.PostAsync("/v1/queue/register", $$"""{"queue":"{{Queue}}","endpoint":"/v1/chat/completions"}""")).Status.ShouldBe(200);
        var lines = string.Join('\n', Enumerable.Range(0, Lines).Select(Line));
        using var form = new MultipartFormDataContent { { new StringContent("batch"), "purpose" },
            { new ByteArrayContent(Encoding.UTF8.GetBytes(lines)), "file", "in.jsonl" } };
        var file = (await http.SendAsync(HttpMethod.Post, "/v1/files", form)).Json.Text("id");
        var created = await http.PostAsync("/v1/batches",
            $$"""{"input_file_id":"{{file}}","endpoint":"/v1/chat/completions","completion_window":"24h"}""");
        return created.Status == 200 ? created.Json.Text("id")! : throw new InvalidOperationException(created.Text);
    }

    /// <summary>The model has the name of the queue.</summary>
    private static string Line(int n) =>
        $$$"""{"custom_id":"r{{{n}}}","method":"POST","url":"/v1/chat/completions","body":{"model":"{{{Queue}}}","n":{{{n}}}}}""";

    private static async Task<JsonElement> EndAsync(HttpClient http, string id)
    {
        JsonElement batch = default;
        await Eventually.UntilAsync(
            async () => (batch = (await http.ReadAsync($"/v1/batches/{id}")).Json).Text("status")
                is "completed" or "failed" or "expired" or "cancelled",
            Deadline, $"{id} has ended");
        return batch;
    }
}
