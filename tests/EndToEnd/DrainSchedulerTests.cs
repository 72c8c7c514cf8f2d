using System.Text;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Engine.Batches;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>SIGTERM: another scheduler takes over at once.</summary>
[Collection(ProcessesCollection.Name)]
public sealed class DrainSchedulerTests
{
    private const int Lines = 50_000;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly Dictionary<string, string?> Quiet = new() { ["Logging:LogLevel:Default"] = "Error" };

    [Fact]
    public async Task A_stopping_scheduler_hands_over_its_batch_and_the_outbox_dispatcher_at_once()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        var rabbitMq = await TestServers.CreateVirtualHostAsync();
        await using (var first = await StartAsync(database, rabbitMq, "scheduler"))
        {
            var holder = await Eventually.UntilAsync(() => DispatcherAsync(database), Patience, "the only process dispatches the outbox");
            await using var api = await StartAsync(database, rabbitMq, "api");
            var id = await CreateBatchAsync(api.Http);
            await Eventually.UntilAsync(async () => (await BatchAsync(database)).LinesDone > 0, Patience, "lines are being made tasks");

            await first.StopAsync();

            var left = await BatchAsync(database);
            left.WorkedUntil.ShouldBeNull();
            left.LinesDone.ShouldBeLessThan(Lines);
            await Eventually.UntilAsync(async () => await DispatcherAsync(database) is { } other && other != holder, Patience,
                "the other process dispatches the outbox");
            await using var second = await StartAsync(database, rabbitMq, "scheduler");
            await Eventually.UntilAsync(
                async () => (await BatchAsync(database)).LinesDone == Lines, Patience, $"{id} is made tasks to its last line");
            await using var db = database.CreateContext();
            (await db.Tasks.CountAsync()).ShouldBe(Lines);
        }

        await TestServers.DeleteVirtualHostAsync(rabbitMq);
    }

    private static Task<TestHost> StartAsync(TestDatabase database, string rabbitMq, string roles) =>
        TestHost.StartAsync(database.ConnectionString, rabbitMq, roles, Quiet);

    private static async Task<string> CreateBatchAsync(HttpClient http)
    {
        (await http.PostAsync("/v1/queue/register", """{"queue":"lines","endpoint":"/v1/chat/completions"}""")).Status.ShouldBe(200);
        var lines = new StringBuilder();
        for (var i = 0; i < Lines; i++)
            lines.Append($$$"""{"custom_id":"{{{i}}}","method":"POST","url":"/v1/chat/completions","body":{"model":"m"}}""").Append('\n');
        using var form = new MultipartFormDataContent { { new StringContent("batch"), "purpose" },
            { new ByteArrayContent(Encoding.UTF8.GetBytes(lines.ToString())), "file", "in.jsonl" } };
        var file = (await http.SendAsync(HttpMethod.Post, "/v1/files", form)).Json.Text("id");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/batches")
        {
            Content = new StringContent($$"""{"input_file_id":"{{file}}","endpoint":"/v1/chat/completions"}"""),
            Headers = { { "X-BELLA-QUEUE-NAME", "lines" } },
        };
        using var created = await http.SendAsync(request);
        return await created.Content.ReadAsStringAsync();
    }

    private static async Task<BatchState> BatchAsync(TestDatabase database)
    {
        await using var db = database.CreateContext();
        return await db.Batches.AsNoTracking().SingleAsync();
    }

    /// <summary>The address of the process that dispatches the outbox.</summary>
    private static async Task<string?> DispatcherAsync(TestDatabase database)
    {
        await using var db = database.CreateContext();
        return await db.Database.SqlQuery<string>(
            $"""select address as "Value" from outbox_lease where held_until > clock_timestamp()""").SingleOrDefaultAsync();
    }
}
