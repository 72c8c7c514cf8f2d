using System.Text.Json.Serialization;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using TaskQueue.Client;
using TaskQueue.Contracts;

namespace TaskQueue.Tests.EndToEnd;

using Bus = MassTransit.Bus;

/// <summary>The programs of the package READMEs, verbatim except for indentation.</summary>
internal static class PackagePrograms
{
    /// <summary>TaskQueue.Contracts.</summary>
    public static async Task<Guid> ContractsAsync(string address, string queue)
    {
        var bus = Bus.Factory.CreateUsingRabbitMq(cfg => cfg.Host(new Uri(address)));
        await bus.StartAsync();

        var task = new SubmittedTask(TaskId.New(TimeProvider.System), queue, """{"to":"ann@example.org"}""") { Name = "send" };
        var engine = await bus.GetSendEndpoint(Addresses.Submit);
        await engine.Send(new SubmitTasks([task]));

        await bus.StopAsync();
        return task.Id;
    }

    /// <summary>TaskQueue.Client.</summary>
    public static async Task<Greeting?> ClientAsync(Uri server, string queue)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Services.AddTaskQueueClient(client => client.BaseAddress = server);
        builder.Services.AddTaskQueueWorker(worker =>
        {
            worker.Queues.Add(queue);
            worker.AddProcessor("greet", GreetingJson.Default.Guest, GreetingJson.Default.Greeting, (guest, task, cancellationToken) =>
                Task.FromResult(new Greeting($"Hello, {guest.Name}")));
        });
        using var host = builder.Build();
        await host.StartAsync();

        var client = host.Services.GetRequiredService<TaskQueueClient>();
        var enqueued = await client.EnqueueAsync(queue, "greet", new Guest("Ann"), GreetingJson.Default.Guest);
        var greeting = await client.WaitForResultAsync(enqueued.Id, GreetingJson.Default.Greeting, TimeSpan.FromMinutes(1));
        Console.WriteLine(greeting?.Text); // Hello, Ann

        await host.StopAsync();
        return greeting;
    }

    /// <summary>TaskQueue.Client.RabbitMq.</summary>
    public static async Task<string> RabbitMqAsync(Uri broker, string queue)
    {
        var done = new TaskCompletionSource<string>();
        var builder = Host.CreateApplicationBuilder();
        builder.Services.AddTaskQueueBusProducer(producer => producer.ConnectionString = broker);
        builder.Services.AddTaskQueueWorker(worker =>
        {
            worker.Queues.Add(queue);
            worker.UseRabbitMq(broker);
            worker.AddProcessor("greet", (task, cancellationToken) =>
            {
                done.TrySetResult(task.Payload);
                return Task.FromResult(TaskOutcome.Completed());
            });
        });
        using var host = builder.Build();
        await host.StartAsync();

        var producer = host.Services.GetRequiredService<TaskQueueBusProducer>();
        await producer.EnqueueAsync(new NewTask(queue, "greet") { Data = """{"name":"Ann"}""" });
        Console.WriteLine(await done.Task); // {"id":…,"action":"greet","data":{"name":"Ann"},"created_at":…}

        await host.StopAsync();
        return await done.Task;
    }
}

internal sealed record Guest(string Name);

internal sealed record Greeting(string Text);

[JsonSerializable(typeof(Guest))]
[JsonSerializable(typeof(Greeting))]
internal sealed partial class GreetingJson : JsonSerializerContext;
