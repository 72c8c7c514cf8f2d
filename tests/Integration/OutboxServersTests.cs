using Shouldly;
using TaskQueue.Client;
using TaskQueue.Storage;
using TaskQueue.Tests.EndToEnd;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>The outbox over RabbitMQ.</summary>
public sealed class OutboxOverBusTests(ServersStack stack) : IClassFixture<ServersStack>
{
    [Fact]
    public async Task The_producer_of_the_container_sends_what_is_in_the_outbox()
    {
        var queue = $"o{Guid.NewGuid():N}";
        await using var database = await ShopDb.CreateAsync(DatabaseProvider.Postgres);
        await using var app = await OutboxApp.StartAsync(database, stack.Http.BaseAddress!, new OutboxAppSettings
        {
            Register = services => services.AddTaskQueueBusProducer(o => o.ConnectionString = new Uri(stack.RabbitMq!)),
        });

        var ids = await app.EnqueueAsync(queue, 3);
        await app.EmptyAsync();

        var claimed = new List<Guid>();
        await Eventually.UntilAsync(async () =>
        {
            claimed.AddRange((await stack.Http.ClaimAsync(queue, max: 100)).Select(t => t.Id()));
            return claimed.Count >= ids.Count;
        }, TestHttp.Patience, "the server has the tasks");
        claimed.ShouldBe(ids, ignoreOrder: true);
    }
}

/// <summary>The outbox before a server that crashes.</summary>
[Collection(ProcessesCollection.Name)]
public sealed class OutboxCrashTests
{
    private const string Roles = "api,scheduler,consumers";

    [Fact]
    public async Task A_server_that_is_killed_again_and_again_gets_every_task_once()
    {
        var queue = $"o{Guid.NewGuid():N}";
        await using var stored = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var database = await ShopDb.CreateAsync(DatabaseProvider.Sqlite);
        var server = await TaskQueueProcess.StartAsync(Roles, stored.ConnectionString, null);
        try
        {
            KillingProducer? producer = null;
            await using var app = await OutboxApp.StartAsync(database, new Uri($"http://127.0.0.1:{server.Port}"),
                new OutboxAppSettings { Options = o => o.BatchSize = 7, Producer = client => producer = new KillingProducer(client) });
            var ids = new List<Guid>();
            for (var kill = 0; kill < 2; kill++)
            {
                for (var i = 0; i < 30; i++)
                {
                    ids.AddRange(await app.EnqueueAsync(queue, 5));
                    if (i == 10)
                        producer!.KillWhileSending(server.Kill);
                }

                await Eventually.UntilAsync(() => Task.FromResult(server.HasExited), TestHttp.Patience, "it is dead");
                await server.DisposeAsync();
                ids.AddRange(await app.EnqueueAsync(queue, 5));
                server = await TaskQueueProcess.StartAsync(Roles, stored.ConnectionString, null, port: server.Port);
            }

            await app.EmptyAsync();
            (await server.Http.ClaimAsync(queue, max: 1000)).Select(t => t.Id()).ShouldBe(ids, ignoreOrder: true);
        }
        finally
        {
            await server.DisposeAsync();
        }
    }

    /// <summary>Kills the server once a request to it has begun.</summary>
    private sealed class KillingProducer(ITaskProducer producer) : OutboxProducer
    {
        private Action? _kill;

        public void KillWhileSending(Action kill) => Volatile.Write(ref _kill, kill);

        protected override async Task<IReadOnlyList<EnqueuedTask>> SendAsync(List<NewTask> tasks, CancellationToken cancellationToken)
        {
            var send = producer.EnqueueManyAsync(tasks, cancellationToken);
            Interlocked.Exchange(ref _kill, null)?.Invoke();
            return await send;
        }
    }
}
