using Shouldly;
using TaskQueue.Client;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Workers that take tasks of pull queues.</summary>
public sealed class WorkerOverHttp(ServersStack stack) : WorkerConformance(stack), IClassFixture<ServersStack>
{
    protected override string Delivery => "pull";

    protected override int ExpectedOut => 7;

    protected override void Configure(TaskQueueWorkerOptions options)
    {
        // The defaults.
    }

    [Fact]
    public async Task Outcomes_survive_a_server_restart()
    {
        var database = Stack.Database.ConnectionString;
        var server = await TaskQueueProcess.StartAsync("api,scheduler", database, Stack.RabbitMq);
        var goOn = new TaskCompletionSource();
        var begun = 0;
        var runs = 0;
        await using var worker = await WorkerRun.StartAsync(server.Http.BaseAddress!, o =>
        {
            o.Queues.Add(Queue);
            o.Lease = TimeSpan.FromSeconds(60);
            o.AddProcessor("a", async (_, _) =>
            {
                Interlocked.Increment(ref begun);
                await goOn.Task;
                Interlocked.Increment(ref runs);
                return TaskOutcome.CompletedJson("true");
            });
        });
        var ids = new[] { await SubmitAsync("a"), await SubmitAsync("a"), await SubmitAsync("a") };
        await Eventually.UntilAsync(() => Task.FromResult(begun == 2), Patience, "two tasks run");
        server.Kill();
        goOn.SetResult();
        await Eventually.UntilAsync(() => Task.FromResult(runs >= 2), Patience, "they ended while nobody listens");
        var port = server.Port;
        await server.DisposeAsync();

        await using var again = await TaskQueueProcess.StartAsync("api,scheduler", database, Stack.RabbitMq, port: port);
        foreach (var id in ids)
            (await Http.TaskAsync(id, "completed")).Whole("attempt").ShouldBe(1);
        runs.ShouldBe(3);
    }

    [Fact]
    public async Task A_refused_result_fails_only_its_own_task()
    {
        await DeclareAsync();
        await using var worker = await StartAsync(o =>
        {
            o.Concurrency = 8;
            o.UnknownNames = UnknownNames.Echo;
            o.AddProcessor("deep", (_, _) => Task.FromResult(TaskOutcome.CompletedJson($"\"{new string('x', 70_000_000)}\"")));
        });
        var big = await SubmitAsync("deep");
        var small = await SubmitAsync("nobody");
        (await Http.TaskAsync(small, "completed")).Whole("attempt").ShouldBe(1);
        (await Http.TaskAsync(big, "failed")).Text("error")!.ShouldContain("refused");
    }
}
