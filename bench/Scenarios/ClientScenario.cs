using System.Diagnostics;
using System.Text.Json.Serialization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TaskQueue.Bench.Load;
using TaskQueue.Bench.Reporting;
using TaskQueue.Bench.Servers;
using TaskQueue.Client;
using TaskQueue.Contracts;

namespace TaskQueue.Bench.Scenarios;

/// <summary>Overhead of the .NET client, against plain HttpClient requests in the same process.</summary>
internal static partial class ClientScenario
{
    private const int Callers = 32;

    /// <summary>The client's concurrency equals the number of workers of the reference, which hold 800 tasks.</summary>
    private const int Workers = 8, Batch = 100, Prefetch = 500;

    private static readonly Line Text = new("hello worldhello worldhello worldhello world");

    /// <summary>Sequential enqueues per caller.</summary>
    public static async Task<IReadOnlyList<Figure>> EnqueueAsync(BenchRun run)
    {
        await using var database = await run.CreateDatabaseAsync();
        using var server = await run.StartServerAsync(database);
        await using var services = new ServiceCollection().AddTaskQueueClient(o => o.BaseAddress = server.Address).BuildServiceProvider();
        var client = services.GetRequiredService<TaskQueueClient>();
        await MeasureAsync(run.Sizes.WarmUp, ByClientAsync);
        await MeasureAsync(run.Sizes.WarmUp, ByHandAsync);

        var (measured, reference) = await run.AlternateAsync(() => MeasureAsync(run.Sizes.Load, ByHandAsync), () =>
            MeasureAsync(run.Sizes.Load, ByClientAsync));
        server.DemandNoTrouble();
        return
        [
            new($"TaskQueueClient.EnqueueAsync, {Callers} callers", new Series(measured, Unit.TasksPerSecond),
                new Reference("HttpClient, the same bodies", new Series(reference, Unit.TasksPerSecond)), Goal.RatioAtLeast(0.85)),
        ];

        async Task<double> MeasureAsync(TimeSpan duration, Func<Task> work)
        {
            await database.SettleAsync();
            return await Loops.RunAsync(Callers, duration, work);
        }

        Task ByClientAsync() => client.EnqueueAsync(Bodies.PullQueue, "noop", Text, LineJson.Default.Line, run.Stop);

        Task ByHandAsync() =>
            Producer.SubmitAsync(server.Http, Bodies.One(Bodies.PullQueue, "id", $"{TaskId.New(TimeProvider.System)}"), run.Stop);
    }

    /// <summary>A client worker drains a queue.</summary>
    public static async Task<IReadOnlyList<Figure>> WorkAsync(BenchRun run)
    {
        await using var database = await run.CreateDatabaseAsync();
        using var server = await run.StartServerAsync(database);
        long inserted = 0;
        await DrainAsync(run.Sizes.Claimed / 4);
        var (measured, reference) = await run.AlternateAsync(ByHandAsync, () => DrainAsync(run.Sizes.Claimed));
        server.DemandNoTrouble();
        return
        [
            new($"client worker over HTTP, {Workers} at once, prefetch {Prefetch}", new Series(measured, Unit.TasksPerSecond),
                new Reference($"claim {Batch} and report {Batch} by hand, {Workers} workers", new Series(reference, Unit.TasksPerSecond)),
                Goal.RatioAtLeast(0.7)),
        ];

        async Task<double> ByHandAsync()
        {
            await InsertAsync(run.Sizes.Claimed);
            return await PullWorker.RunAsync(server.Http, Workers, Batch, run.Sizes.Claimed, run.Stop);
        }

        async Task<double> DrainAsync(int count)
        {
            await InsertAsync(count);
            return await RunWorkerAsync(server, count, run.Stop);
        }

        async Task InsertAsync(int count)
        {
            await database.InsertTasksAsync(new TaskRow(Bodies.PullQueue), inserted + 1, count);
            inserted += count;
            await database.TidyTasksAsync();
            await database.SettleAsync();
        }
    }

    private static async Task<double> RunWorkerAsync(ServerProcess server, int count, CancellationToken cancellationToken)
    {
        var (left, drained) = (count, new TaskCompletionSource());
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.Services.AddTaskQueueWorker(
            o =>
            {
                o.Queues.Add(Bodies.PullQueue);
                o.Concurrency = Workers;
                o.Prefetch = Prefetch;
                o.AddProcessor("noop", (_, _) =>
                {
                    if (Interlocked.Decrement(ref left) == 0)
                        drained.SetResult();
                    return Task.FromResult(TaskOutcome.Completed());
                });
            },
            client => client.BaseAddress = server.Address);
        using var host = builder.Build();
        var since = Stopwatch.GetTimestamp();
        await host.StartAsync(cancellationToken);
        await drained.Task.WaitAsync(cancellationToken);
        await host.StopAsync(cancellationToken); // reports the last outcomes
        return count / Stopwatch.GetElapsedTime(since).TotalSeconds;
    }

    private sealed record Line(string Text);

    [JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
    [JsonSerializable(typeof(Line))]
    private sealed partial class LineJson : JsonSerializerContext;
}
