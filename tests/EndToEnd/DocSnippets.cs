using System.Text.Json.Serialization;
using MassTransit;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using TaskQueue.Client;
using TaskQueue.Contracts;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The C# of the documentation, verbatim except for indentation: it compiles with the usings above.</summary>
internal static partial class DocSnippets
{
    /// <summary>docs/client.md.</summary>
    internal static partial class OfClient
    {
        internal static void Register(IServiceCollection services, IConfiguration configuration)
        {
            services.AddTaskQueueClient(o =>
            {
                o.BaseAddress = new Uri("http://localhost:8080");
                o.ApiKey = configuration["TaskQueue:Key"]; // an API key or a token; null where the server wants none
            });
        }

        public sealed class Shop(TaskQueueClient queue)
        {
            public async Task<Receipt?> ShipAsync(Parcel parcel, CancellationToken cancellationToken)
            {
                var task = await queue.EnqueueAsync("parcels", "ship", parcel, ShopJson.Default.Parcel, cancellationToken);
                return await queue.WaitForResultAsync(task.Id, ShopJson.Default.Receipt, TimeSpan.FromMinutes(1), cancellationToken);
            }
        }

        internal static void OverRabbitMq(IServiceCollection services)
        {
            services.AddTaskQueueBusProducer(o => o.ConnectionString = new Uri("amqp://user:password@localhost:5672/"));
        }

        internal static void Encrypted(IServiceCollection services, byte[] key)
        {
            services.AddTaskQueueClient(o =>
            {
                o.BaseAddress = new Uri("http://localhost:8080");
                o.Codec = new AesGcmPayloadCodec("k1", new Dictionary<string, byte[]> { ["k1"] = key }); // 32 random bytes
            });
        }

        public sealed record Parcel(string To);

        public sealed record Receipt(string Number);

        [JsonSerializable(typeof(Parcel))]
        [JsonSerializable(typeof(Receipt))]
        public sealed partial class ShopJson : JsonSerializerContext;
    }

    /// <summary>docs/worker.md.</summary>
    internal static partial class OfWorker
    {
        internal static async Task RunAsync(string[] args)
        {
            var builder = Host.CreateApplicationBuilder(args);
            builder.Services.AddTaskQueueWorker(
                o =>
                {
                    o.Queues.Add("mail");
                    o.AddProcessor<Mail, Receipt>("send", (mail, task, cancellationToken) => SendAsync(mail, cancellationToken));
                    o.AddProcessor("resize", AppJson.Default.Size, AppJson.Default.Picture, (size, task, cancellationToken) =>
                        ResizeAsync(size, cancellationToken));
                    o.AddProcessor("clean", async (task, cancellationToken) =>
                        TaskOutcome.Completed(await CleanAsync(task.Payload, cancellationToken)));
                    o.AddProcessor<InvoiceHandler>("invoice"); // an ITaskHandler, made once a task in a scope of its own
                },
                client => client.BaseAddress = new Uri("http://localhost:8080"));
            await builder.Build().RunAsync();
        }

        internal static void Health(WebApplicationBuilder builder)
        {
            builder.Services.AddTaskQueueWorker(o => o.Queues.Add("mail"));
            var app = builder.Build();
            app.MapHealthChecks("/health/live");                              // livenessProbe: restart it when it is deaf
            app.MapHealthChecks("/health/ready", new() { ResultStatusCodes = { [HealthStatus.Degraded] = 503 } });
        }

        internal static void Stopping(HostApplicationBuilder builder)
        {
            builder.Services.Configure<HostOptions>(o => o.ShutdownTimeout = TimeSpan.FromSeconds(35)); // DrainTimeout 25 s
        }

        private static Task<Receipt> SendAsync(Mail mail, CancellationToken cancellationToken) =>
            Task.FromResult(new Receipt(mail.To)).WaitAsync(cancellationToken);

        private static Task<Picture> ResizeAsync(Size size, CancellationToken cancellationToken) =>
            Task.FromResult(new Picture($"{size.Width}.png")).WaitAsync(cancellationToken);

        private static Task<int> CleanAsync(string payload, CancellationToken cancellationToken) =>
            Task.FromResult(payload.Length).WaitAsync(cancellationToken);

        public sealed record Mail(string To);

        public sealed record Receipt(string Number);

        public sealed record Size(int Width);

        public sealed record Picture(string Path);

        public sealed class InvoiceHandler : ITaskHandler
        {
            public Task<TaskOutcome> ProcessAsync(TaskContext task, CancellationToken cancellationToken) =>
                Task.FromResult(TaskOutcome.Completed());
        }

        [JsonSerializable(typeof(Size))]
        [JsonSerializable(typeof(Picture))]
        public sealed partial class AppJson : JsonSerializerContext;
    }

    /// <summary>docs/failures.md, docs/scaling.md, docs/search.md and docs/bulk-operations.md.</summary>
    internal static class OfOthers
    {
        internal static void Log(TaskQueueWorkerOptions o)
        {
            o.AddProcessor("import", async (task, cancellationToken) =>
            {
                task.Log("file has 12,000 rows");
                task.Log("row 17 has no date", TaskLogLevel.Warning);
                await ImportAsync(task.Payload, cancellationToken);
                return TaskOutcome.Completed();
            });
        }

        internal static void Scale(HostApplicationBuilder builder)
        {
            builder.Services.AddTaskQueueWorker(
                o => o.Queues.Add("mail"), client => client.BaseAddress = new Uri("http://taskqueue-api.taskqueue"));
            // of all workers of the host; or with a function of your own that says how many tasks run
            builder.Services.AddTaskQueueDeletionCost();
        }

        internal static async Task SearchAsync(TaskQueueClient client)
        {
            await foreach (var task in client.SearchAsync(
                new TaskSearch { Queue = "mail", Tags = ["eu"], Statuses = [QueuedTaskStatus.Failed] }))
                Console.WriteLine($"{task.Id} {task.Error}");
        }

        internal static async Task<Guid> MoveAsync(TaskQueueClient client)
        {
            var operation = await client.StartOperationAsync(new NewBulkOperation
            {
                Action = BulkOperationAction.Move, Search = new TaskSearch { Queue = "mail", Tags = ["eu"] }, TargetQueue = "mail-eu",
            });
            return operation.Id;
        }

        private static Task ImportAsync(string payload, CancellationToken cancellationToken) =>
            payload.Length == 0 ? Task.CompletedTask : Task.Delay(TimeSpan.Zero, cancellationToken);
    }

    /// <summary>docs/bus.md.</summary>
    internal static class OfBus
    {
        internal static void Configure(IRabbitMqBusFactoryConfigurator cfg, IBusRegistrationContext context)
        {
            cfg.ReceiveEndpoint("mail", e =>
            {
                e.SetQuorumQueue();
                e.ConfigureConsumeTopology = false; // tasks are sent to the queue, not published
                e.PrefetchCount = 16;
                e.ConfigureConsumer<MailWorker>(context);
            });

            cfg.ConfigureSend(x => x.UseExecute(c => c.GetPayload<RabbitMqSendContext>().BasicProperties.UserId = "shop-worker"));
        }

        public sealed class MailWorker : IConsumer<DispatchTasks>
        {
            private static readonly string WorkerName = $"{Environment.MachineName}:{Environment.ProcessId}";

            public async Task Consume(ConsumeContext<DispatchTasks> context)
            {
                var started = new List<AttemptStarted>();
                var outcomes = new List<AttemptOutcome>();
                foreach (var task in context.Message.Tasks)
                {
                    started.Add(new AttemptStarted(task.Id, task.Attempt));
                    outcomes.Add(new AttemptOutcome(task.Id, task.Attempt, Result: await WorkAsync(task.Payload)));
                }

                var engine = await context.GetSendEndpoint(Addresses.Report);
                await engine.Send(new ReportTasks(WorkerName, started, [], outcomes));
            }

            private static Task<string> WorkAsync(string payload) => Task.FromResult($"{payload.Length}");
        }
    }
}
