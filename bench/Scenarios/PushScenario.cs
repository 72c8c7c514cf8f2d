using System.Diagnostics;
using TaskQueue.Bench.Load;
using TaskQueue.Bench.Reporting;
using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Scenarios;

/// <summary>Push throughput from bulk submit via a bus worker to completed, against RabbitMQ alone.</summary>
internal static class PushScenario
{
    public static async Task<IReadOnlyList<Figure>> RunAsync(BenchRun run)
    {
        await using var database = await run.CreateDatabaseAsync();
        using var server = await run.StartServerAsync(database);
        await server.DeclarePushAsync(Broker.PushQueue, run.Stop);
        await using var worker = await BusWorker.StartAsync(run.Options.RabbitMq, _ => { });
        var tasks = new PushedTasks(run, database, server, worker);
        await tasks.PushAsync(run.Sizes.Pushed / 4);

        var memory = new List<Memory>();
        var (measured, reference) = await run.AlternateAsync(
            async () =>
            {
                await database.SettleAsync();
                return await RawRabbit.RunAsync(run.Broker, run.Sizes.Pushed, run.Stop);
            },
            async () =>
            {
                var rate = await tasks.PushAsync(run.Sizes.Pushed);
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
    }

    private sealed class PushedTasks(BenchRun run, BenchDatabase database, ServerProcess server, BusWorker worker)
    {
        private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(10);

        private int _submitted;

        /// <summary>Submits the given number of tasks and waits until all are completed.</summary>
        /// <returns>Tasks per second, from the first submission to the last completion.</returns>
        public async Task<double> PushAsync(int count)
        {
            await database.SettleAsync();
            var since = Stopwatch.GetTimestamp();
            await Producer.SubmitManyAsync(server.Http, Broker.PushQueue, count, run.Stop);
            _submitted += count;
            await Wait.UntilAsync(
                () => Task.FromResult(worker.Reported >= _submitted), Deadline, "the worker has reported all tasks", run.Stop);
            await database.WaitUntilIdleAsync();
            var rate = count / Stopwatch.GetElapsedTime(since).TotalSeconds;
            var completed = await database.CountKeptAsync();
            return completed == _submitted ? rate : throw new BenchException($"of {_submitted} tasks {completed} are completed");
        }
    }
}
