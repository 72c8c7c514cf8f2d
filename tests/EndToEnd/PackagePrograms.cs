using System.Text.Json.Serialization;
using Hangfire;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using TaskQueue.Client;
using TaskQueue.Client.Testing;
using TaskQueue.Contracts;
using TaskQueue.Tests.Servers;

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

    /// <summary>TaskQueue.Client.Hangfire.</summary>
    public static async Task<string?> HangfireAsync(Uri server, string queue)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Services.AddTaskQueueHangfire(client: client => client.BaseAddress = server);
        builder.Services.AddTaskQueueWorker(worker =>
        {
            worker.Queues.Add(queue);
            worker.UseHangfireJobs(jobs => jobs.Allow<Greeter>());
        });
        using var host = builder.Build();
        await host.StartAsync();

        var jobs = host.Services.GetRequiredService<IBackgroundJobClient>();
        var id = jobs.Enqueue<Greeter>(queue, greeter => greeter.Greet("Ann"));
        var client = host.Services.GetRequiredService<TaskQueueClient>();
        var greeting = await client.WaitForResultAsync<string>(Guid.Parse(id), TimeSpan.FromMinutes(1));
        Console.WriteLine(greeting); // Hello, Ann

        await host.StopAsync();
        return greeting;
    }

    /// <summary>TaskQueue.Client.Grpc.</summary>
    public static async Task<string> GrpcAsync(Uri server, string queue)
    {
        var done = new TaskCompletionSource<string>();
        var builder = Host.CreateApplicationBuilder();
        builder.Services.AddTaskQueueGrpcProducer(client => client.BaseAddress = server);
        builder.Services.AddTaskQueueWorker(worker =>
        {
            worker.Queues.Add(queue);
            worker.UseGrpc();
            worker.AddProcessor("greet", (task, cancellationToken) =>
            {
                done.TrySetResult(task.Payload);
                return Task.FromResult(TaskOutcome.Completed());
            });
        });
        using var host = builder.Build();
        await host.StartAsync();

        var producer = host.Services.GetRequiredService<TaskQueueGrpcProducer>();
        await producer.EnqueueAsync(new NewTask(queue, "greet") { Data = """{"name":"Ann"}""" });
        Console.WriteLine(await done.Task); // {"id":…,"action":"greet","data":{"name":"Ann"},"created_at":…}

        await host.StopAsync();
        return await done.Task;
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

    /// <summary>TaskQueue.Client.Testing.</summary>
    public static async Task<Greeting?> TestingAsync()
    {
        await using var host = await TaskQueueTestHost.StartAsync();
        await host.AddWorkerAsync(worker =>
        {
            worker.Queues.Add("mail");
            worker.AddProcessor("greet", GreetingJson.Default.Guest, GreetingJson.Default.Greeting, (guest, _, _) =>
                Task.FromResult(new Greeting($"Hello, {guest.Name}")));
        });
        var tomorrow = host.Time.GetUtcNow().AddDays(1);
        var task = NewTask.Of("mail", "greet", new Guest("Ann"), GreetingJson.Default.Guest) with { ScheduledAt = tomorrow };
        await host.Client.EnqueueAsync(task);

        await host.DrainAsync(); // nothing is due
        await host.AdvanceAsync(TimeSpan.FromDays(1));
        await host.DrainAsync();
        var greeting = await host.Client.GetResultAsync(task.Id, GreetingJson.Default.Greeting); // Hello, Ann
        return greeting;
    }

    /// <summary>TaskQueue.Client.EntityFrameworkCore.</summary>
    public static async Task<Guid> OutboxAsync(Uri server, string queue, string database)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Services.AddDbContext<ShopDb>(db => db.UseSqlite(database));
        builder.Services.AddTaskQueueClient(client => client.BaseAddress = server);
        builder.Services.AddTaskQueueOutbox<ShopDb>();
        using var host = builder.Build();
        await host.StartAsync();

        await using var scope = host.Services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<ShopDb>();
        db.Orders.Add(new Order { Item = "tea" });
        var id = db.Enqueue(queue, "ship", new { Item = "tea" });
        await db.SaveChangesAsync(); // the order and its task, or neither of them

        var admin = host.Services.GetRequiredService<OutboxAdmin<ShopDb>>();
        await Eventually.UntilAsync(async () => (await admin.GetStatisticsAsync()).Pending == 0, TestHttp.Patience, "the task is sent");
        await host.StopAsync();
        return id;
    }
}

internal sealed class ShopDb(DbContextOptions<ShopDb> options) : DbContext(options)
{
    public DbSet<Order> Orders => Set<Order>();

    protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.AddTaskQueueOutbox();
}

internal sealed class Order
{
    public int Id { get; set; }

    public required string Item { get; set; }
}

/// <summary>Of the README of TaskQueue.Client.Hangfire.</summary>
public sealed class Greeter
{
#pragma warning disable CA1822 // jobs are methods of objects
    public string Greet(string name) => $"Hello, {name}";
#pragma warning restore CA1822
}

internal sealed record Guest(string Name);

internal sealed record Greeting(string Text);

[JsonSerializable(typeof(Guest))]
[JsonSerializable(typeof(Greeting))]
internal sealed partial class GreetingJson : JsonSerializerContext;
