using System.Text.Json.Serialization;
using MassTransit;
using Microsoft.AspNetCore.Builder;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TaskQueue.Client;
using TaskQueue.Client.Testing;
using TaskQueue.Contracts;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The C# of the documentation, verbatim except for indentation: it compiles with the usings above.</summary>
internal static partial class DocSnippets
{
    /// <summary>Whose task it is.</summary>
    public sealed class CurrentTenant
    {
        public string Name { get; set; } = "none";
    }

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

        public sealed class TenantTags(CurrentTenant tenant) : IEnqueueMiddleware
        {
            public ValueTask<NewTask> BeforeEnqueueAsync(NewTask task, CancellationToken cancellationToken) =>
                ValueTask.FromResult(task with { Tags = [tenant.Name, .. task.Tags] });
        }

        internal static void Before(IServiceCollection services)
        {
            services.AddSingleton<IEnqueueMiddleware, TenantTags>();
            services.ConfigureTaskQueueHttpClient(http => http.AddHttpMessageHandler<ProxyLogin>());
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

        public sealed class ProxyLogin : DelegatingHandler;

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

        public sealed class ChargeHandler(Bank bank) : ITaskHandler<Invoice, Receipt>
        {
            public async Task<Receipt> ProcessAsync(Invoice invoice, TaskContext task, CancellationToken cancellationToken)
            {
                if (await bank.IsClosedAsync(cancellationToken))
                    throw new TaskOutcomeException(TaskOutcome.Snooze(TimeSpan.FromHours(1)));
                return await bank.ChargeAsync(invoice, idempotencyKey: $"{task.Id}", cancellationToken);
            }
        }

        [TaskName("remind")]
        public sealed class RemindHandler : ITaskHandler<Invoice>
        {
            public Task ProcessAsync(Invoice invoice, TaskContext task, CancellationToken cancellationToken) => Task.CompletedTask;
        }

        internal static void Handlers(TaskQueueWorkerOptions o)
        {
            var charge = o.AddHandler<ChargeHandler, Invoice, Receipt>("charge", AppJson.Default.Invoice, AppJson.Default.Receipt);
            charge.Concurrency = 1;                        // of the worker's slots; tasks of other names pass those that wait
            charge.Timeout = TimeSpan.FromMinutes(5);      // instead of RunTimeLimit
            charge.Retry = new RetryPolicy { Intervals = [5, 60, 600] };
            o.HandlerOptions("send").Concurrency = 10;     // of any processor

            o.AddHandler<ChargeHandler>("charge");
            o.AddHandlersFrom(typeof(RemindHandler).Assembly); // all classes with a TaskName

            o.AddMiddleware<TenantMiddleware>();
            o.AddMiddleware((task, next, cancellationToken) =>
                task.MaxAttempts == 1 ? Task.FromResult(TaskOutcome.Failed("too dangerous")) : next(task, cancellationToken));
        }

        public sealed class TenantMiddleware(CurrentTenant tenant, ILogger<TenantMiddleware> logger) : ITaskMiddleware
        {
            public async Task<TaskOutcome> InvokeAsync(TaskContext task, TaskDelegate next, CancellationToken cancellationToken)
            {
                tenant.Name = task.Tags is [var first, ..] ? first : "none";
                var outcome = await next(task, cancellationToken);
                if (outcome.Error is { } error)
                    logger.LogWarning("{Task} of {Tenant} failed: {Error}", task.Name, tenant.Name, error);
                return outcome;
            }
        }

        public sealed class ImportHandler(Database database) : ITaskHandler<ImportFile>
        {
            public async Task ProcessAsync(ImportFile file, TaskContext task, CancellationToken cancellationToken)
            {
                var row = task.Checkpoint(AppJson.Default.Int32); // 0 in the first attempt
                while (await database.ImportAsync(file, row, count: 1000, cancellationToken) is > 0 and var read)
                    await task.SaveCheckpointAsync(row += read, AppJson.Default.Int32, cancellationToken);
            }
        }

        private static Task<Receipt> SendAsync(Mail mail, CancellationToken cancellationToken) =>
            Task.FromResult(new Receipt(mail.To)).WaitAsync(cancellationToken);

        private static Task<Picture> ResizeAsync(Size size, CancellationToken cancellationToken) =>
            Task.FromResult(new Picture($"{size.Width}.png")).WaitAsync(cancellationToken);

        private static Task<int> CleanAsync(string payload, CancellationToken cancellationToken) =>
            Task.FromResult(payload.Length).WaitAsync(cancellationToken);

        public sealed record Mail(string To);

        public sealed record Receipt(string Number);

        public sealed record Invoice(string Number);

        public sealed record ImportFile(string Path);

        public sealed class Bank
        {
            private readonly HashSet<string> _charged = [];

            public Task<bool> IsClosedAsync(CancellationToken cancellationToken) =>
                Task.FromResult(_charged.Count > 1).WaitAsync(cancellationToken);

            public Task<Receipt> ChargeAsync(Invoice invoice, string idempotencyKey, CancellationToken cancellationToken) =>
                Task.FromResult(new Receipt(_charged.Add(idempotencyKey) ? invoice.Number : "again")).WaitAsync(cancellationToken);
        }

        public sealed class Database
        {
            private int _rows = 2500;

            public Task<int> ImportAsync(ImportFile file, int row, int count, CancellationToken cancellationToken)
            {
                var read = Math.Clamp(_rows - row, 0, file.Path.Length > 0 ? count : 0);
                _rows -= read;
                return Task.FromResult(read).WaitAsync(cancellationToken);
            }
        }

        public sealed record Size(int Width);

        public sealed record Picture(string Path);

        public sealed class InvoiceHandler : ITaskHandler
        {
            public Task<TaskOutcome> ProcessAsync(TaskContext task, CancellationToken cancellationToken) =>
                Task.FromResult(TaskOutcome.Completed());
        }

        [JsonSerializable(typeof(Invoice))]
        [JsonSerializable(typeof(Receipt))]
        [JsonSerializable(typeof(int))]
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
            TextWriter.Null.WriteAsync(payload.AsMemory(), cancellationToken);
    }

    /// <summary>docs/outbox.md.</summary>
    internal static class OfOutbox
    {
        public sealed class ShopContext(DbContextOptions<ShopContext> options) : DbContext(options)
        {
            protected override void OnModelCreating(ModelBuilder modelBuilder) =>
                modelBuilder.AddTaskQueueOutbox(); // or ("my_outbox", "my_schema"); then add a migration
        }

        public sealed record Purchase(int Number, string Customer);

        internal static void Register(IServiceCollection services, IConfiguration configuration)
        {
            services.AddDbContext<ShopContext>(o => o.UseNpgsql(configuration.GetConnectionString("Shop")));
            services.AddTaskQueueClient(o => o.BaseAddress = new Uri("http://localhost:8080")); // or AddTaskQueueBusProducer
            services.AddTaskQueueOutbox<ShopContext>(o => o.PollInterval = TimeSpan.FromSeconds(5));
        }

        internal static async Task BuyAsync(ShopContext db, Purchase order, DateTimeOffset tomorrow)
        {
            db.Add(order);
            db.Enqueue("parcels", "ship", new { order.Number });
            db.Enqueue(new NewTask("mail", "receipt") { ScheduledAt = tomorrow, OrderingKey = order.Customer });
            await db.SaveChangesAsync();
        }

        internal static async Task DecideAsync(OutboxAdmin<ShopContext> admin, Guid id)
        {
            foreach (var task in await admin.ListSetAsideAsync(max: 100))
                Console.WriteLine($"{task.TaskId} {task.Queue} {task.Error}");
            await admin.RetryAsync([id]);           // null: all
            await admin.DiscardAsync(taskIds: null); // they never run
        }
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

    /// <summary>docs/testing.md.</summary>
    internal static class OfTesting
    {
        internal static async Task<QueuedTaskStatus?> SendAsync(Smtp smtp)
        {
            await using var host = await TaskQueueTestHost.StartAsync();
            await host.AddWorkerAsync(
                worker =>
                {
                    worker.Queues.Add("mail");
                    worker.AddProcessor<MailHandler>("send");
                },
                services => services.AddSingleton(smtp)); // what the handler's constructor needs

            var task = await host.Client.EnqueueAsync("mail", "send", new { To = "ann" });
            await host.DrainAsync(advance: true); // with all retries, each at its time
            var status = await host.Client.GetStatusAsync(task.Id);
            return status;
        }

        internal static void Configure(IServiceCollection services, TaskQueueTestHost host)
        {
            services.AddSingleton(host.Time);
            services.AddTaskQueueClient(client => client.BaseAddress = host.Address);
        }

        public sealed class Smtp
        {
#pragma warning disable CA1822 // a service is an instance
            public Task<string> SendAsync(string mail, CancellationToken cancellationToken) =>
                Task.FromResult(mail).WaitAsync(cancellationToken);
#pragma warning restore CA1822
        }

        public sealed class MailHandler(Smtp smtp) : ITaskHandler
        {
            public async Task<TaskOutcome> ProcessAsync(TaskContext task, CancellationToken cancellationToken) =>
                TaskOutcome.Completed(await smtp.SendAsync(task.Payload, cancellationToken));
        }
    }
}
