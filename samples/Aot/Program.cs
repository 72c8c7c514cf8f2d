// Client and worker of the .NET client in a program that can be compiled ahead of time: SampleAot http://localhost:8080 QUEUE
using System.Text.Json.Serialization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using TaskQueue.Client;
using TaskQueue.Contracts;

if (args.Length != 2)
{
    await Console.Error.WriteLineAsync("usage: SampleAot http://localhost:8080 QUEUE");
    return 2;
}

var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
builder.Services.AddTaskQueueClient(client =>
{
    client.BaseAddress = new Uri(args[0]);
    client.ApiKey = Environment.GetEnvironmentVariable("TASKQUEUE_KEY");
});
builder.Services.AddScoped<Tally>();
builder.Services.AddSingleton<IEnqueueMiddleware, Tagging>();
builder.Services.AddTaskQueueWorker(worker =>
{
    worker.Queues.Add(args[1]);
    worker.AddMiddleware<CountingMiddleware>();
    var sums = worker.AddHandler<SumHandler, Numbers, Sum>("sum", AotJson.Default.Numbers, AotJson.Default.Sum);
    (sums.Concurrency, sums.Timeout, sums.Retry) = (1, TimeSpan.FromMinutes(1), new RetryPolicy { Intervals = [1, 5] });
    worker.AddHandler<PrintHandler, Sum>("print", AotJson.Default.Sum);
    worker.AddProcessor("upper", AotJson.Default.String, AotJson.Default.String, (text, task, cancellationToken) =>
        Task.FromResult(text.ToUpperInvariant()));
});
using var host = builder.Build();
await host.StartAsync();

var queue = host.Services.GetRequiredService<TaskQueueClient>();
var task = await queue.EnqueueAsync(args[1], "sum", new Numbers([1, 2, 3]), AotJson.Default.Numbers);
var sum = await queue.WaitForResultAsync(task.Id, AotJson.Default.Sum, TimeSpan.FromMinutes(1));
Console.WriteLine($"the sum is {sum?.Total}");

await host.StopAsync();
return sum?.Total == 6 ? 0 : 1;

internal sealed record Numbers(IReadOnlyList<int> Values);

internal sealed record Sum(int Total, int Next);

/// <summary>Adds numbers one by one; the next attempt goes on where this one stopped.</summary>
internal sealed class SumHandler(Tally tally) : ITaskHandler<Numbers, Sum>
{
    public async Task<Sum> ProcessAsync(Numbers data, TaskContext task, CancellationToken cancellationToken)
    {
        var sum = task.Checkpoint(AotJson.Default.Sum) ?? new Sum(0, 0);
        while (sum.Next < data.Values.Count)
        {
            sum = new Sum(sum.Total + data.Values[sum.Next], sum.Next + 1);
            await task.SaveCheckpointAsync(sum, AotJson.Default.Sum, cancellationToken);
        }

        return tally.Begun == 1 ? sum : throw new TaskOutcomeException(TaskOutcome.Retry("no scope of its own", TimeSpan.FromSeconds(1)));
    }
}

internal sealed class PrintHandler : ITaskHandler<Sum>
{
    public Task ProcessAsync(Sum data, TaskContext task, CancellationToken cancellationToken) =>
        Console.Out.WriteLineAsync($"{data.Total}");
}

/// <summary>A service of an attempt's scope.</summary>
internal sealed class Tally
{
    public int Begun { get; set; }
}

internal sealed class CountingMiddleware(Tally tally) : ITaskMiddleware
{
    public Task<TaskOutcome> InvokeAsync(TaskContext task, TaskDelegate next, CancellationToken cancellationToken)
    {
        tally.Begun++;
        return next(task, cancellationToken);
    }
}

internal sealed class Tagging : IEnqueueMiddleware
{
    public ValueTask<NewTask> BeforeEnqueueAsync(NewTask task, CancellationToken cancellationToken) =>
        ValueTask.FromResult(task with { Tags = [.. task.Tags, "aot"] });
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(Numbers))]
[JsonSerializable(typeof(Sum))]
[JsonSerializable(typeof(string))]
internal sealed partial class AotJson : JsonSerializerContext;
