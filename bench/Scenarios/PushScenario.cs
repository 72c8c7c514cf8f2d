using System.Diagnostics;
using TaskQueue.Bench.Load;
using TaskQueue.Bench.Reporting;
using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Scenarios;

/// <summary>From bulk submissions over a bus worker to completed, against messages through RabbitMQ alone.</summary>
internal static class PushScenario
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(10);

    public static async Task<IReadOnlyList<Figure>> RunAsync(BenchRun run)
    {
        await using var database = await run.CreateDatabaseAsync();
        using var server = await run.StartServerAsync(database);
        await server.DeclarePushAsync(Broker.PushQueue, run.Stop);
        await using var worker = await BusWorker.StartAsync(run.Options.RabbitMq, _ => { });
        var submitted = 0;
        await PushAsync(run.Sizes.Pushed);

        var memory = new List<Memory>();
        var (measured, reference) = await run.AlternateAsync(
            async () =>
            {
                await database.SettleAsync();
                return await RawRabbit.RunAsync(run.Broker, run.Sizes.Pushed, run.Stop);
            },
            async () =>
            {
                await database.SettleAsync();
                var rate = await PushAsync(run.Sizes.Pushed);
                memory.Add(server.ReadMemory());
                return rate;
            });
        server.DemandNoTrouble();
        return
        [
            new("push: submit → bus worker → completed", new Series(measured, Unit.TasksPerSecond),
                new Reference("RabbitMQ alone, a message a task", new Series(reference, Unit.MessagesPerSecond)),
                Goal.RatioAtLeast(0.25), Goal.ValueAtLeast(10_000)),
            .. Rows.OfMemory("push", memory),
        ];

        async Task<double> PushAsync(int tasks)
        {
            var since = Stopwatch.GetTimestamp();
            await Producer.SubmitManyAsync(server.Http, Broker.PushQueue, tasks, run.Stop);
            submitted += tasks;
            await Wait.UntilAsync(() => Task.FromResult(worker.Reported >= submitted), Deadline, "the worker has reported all tasks", run.Stop);
            await database.WaitUntilIdleAsync();
            var rate = tasks / Stopwatch.GetElapsedTime(since).TotalSeconds;
            var completed = await database.ReadAsync<long>("select count(*) from tasks where state = 5");
            return completed == submitted ? rate : throw new BenchException($"of {submitted} tasks {completed} are completed");
        }
    }
}
