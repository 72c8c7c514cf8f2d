using Shouldly;
using TaskQueue.Client;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Workers that take tasks of pull queues over gRPC.</summary>
public sealed class WorkerOverGrpc(ServersStack stack) : WorkerConformance(stack), IClassFixture<ServersStack>
{
    protected override string Delivery => "pull";

    protected override int ExpectedOut => 7;

    protected override void Configure(TaskQueueWorkerOptions options) => options.UseGrpc();

    [Fact]
    public async Task Outcomes_survive_a_server_restart_and_the_worker_finds_the_new_server()
    {
        var database = Stack.Database.ConnectionString;
        var server = await TaskQueueProcess.StartAsync("api,scheduler", database, Stack.RabbitMq);
        var goOn = new TaskCompletionSource();
        var (begun, runs) = (0, 0);
        await using var worker = await WorkerRun.StartAsync(server.Http.BaseAddress!, o =>
        {
            o.Queues.Add(Queue);
            o.UseGrpc();
            o.Lease = TimeSpan.FromSeconds(60);
            o.AddProcessor("a", async (_, _) =>
            {
                Interlocked.Increment(ref begun);
                await goOn.Task;
                Interlocked.Increment(ref runs);
                return TaskOutcome.CompletedJson("true");
            });
        });
        var ids = new List<Guid> { await SubmitAsync("a"), await SubmitAsync("a"), await SubmitAsync("a") };
        await Eventually.UntilAsync(() => Task.FromResult(begun == 2), Patience, "two tasks run");
        server.Kill();
        goOn.SetResult();
        await Eventually.UntilAsync(() => Task.FromResult(runs >= 2), Patience, "they ended while nobody listens");
        var port = server.Port;
        await server.DisposeAsync();

        await using var again = await TaskQueueProcess.StartAsync("api,scheduler", database, Stack.RabbitMq, port: port);
        ids.Add(await SubmitAsync("a"));
        foreach (var id in ids)
            (await Http.TaskAsync(id, "completed")).Whole("attempt").ShouldBe(1);
        runs.ShouldBe(4);
    }

    [Fact]
    public async Task A_refused_result_fails_only_its_own_task()
    {
        await DeclareAsync();
        await using var worker = await StartAsync(o =>
        {
            o.Concurrency = 8;
            o.AddProcessor("deep", (_, _) => Task.FromResult(TaskOutcome.CompletedJson($"\"{new string('x', 70_000_000)}\"")));
            o.AddProcessor("small", (_, _) => Task.FromResult(TaskOutcome.CompletedJson("1")));
        });
        var big = await SubmitAsync("deep");
        var small = await SubmitAsync("small");
        (await Http.TaskAsync(small, "completed")).Whole("attempt").ShouldBe(1);
        (await Http.TaskAsync(big, "failed")).Text("error")!.ShouldContain("refused");
    }

    [Fact]
    public async Task A_tier_can_be_named()
    {
        await DeclareAsync();
        await using var worker = await WorkerRun.StartAsync(Http.BaseAddress!, o =>
        {
            o.Queues.Add($"{Queue}:2");
            o.UseGrpc();
            o.AddProcessor("a", (task, _) => Task.FromResult(TaskOutcome.CompletedJson($"{task.Tier}")));
        });

        var id = await Http.SubmitAsync(new { action = "a", queue = $"{Queue}:2" });

        (await Http.TaskAsync(id, "completed")).Whole("result").ShouldBe(2);
    }
}
