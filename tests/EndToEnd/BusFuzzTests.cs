using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using RabbitMQ.Client;
using Shouldly;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>
/// Nearly valid messages of broker users: each is applied, quarantined or dropped; none logs a stack trace or blocks
/// the next; one that is refused whole changes nothing. As many as fit into ten seconds per database, or TASKQUEUE_FUZZ_MESSAGES: see
/// tests/fuzz.sh.
/// </summary>
public abstract class BusFuzzTests(DatabaseProvider provider) : IAsyncLifetime
{
    private const int Tasks = 20, AtOnce = 20, DefaultSeed = 1406025224;

    private static readonly TimeSpan Budget = TimeSpan.FromSeconds(10);

    private readonly FailureLog _log = new(line => line.StartsWith("Quarantined message ", StringComparison.Ordinal)
        || line.StartsWith("A message of ", StringComparison.Ordinal));
    private readonly HandledMessages _handled = new();
    private readonly Dictionary<string, (IConnection Connection, IChannel Channel)> _users = [];
    private TestDatabase _database = null!;
    private TestHost _host = null!;
    private string _virtualHost = null!;

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(provider);
        _virtualHost = await TestServers.CreateVirtualHostAsync();
        await TestServers.ImportDefinitionsAsync(_virtualHost,
            await File.ReadAllTextAsync(Repository.FileAt("deploy", "rabbitmq", "definitions.json")));
        _host = await TestHost.StartAsync(_database.ConnectionString, AddressOf("taskqueue-admin").ToString(), settings: Settings,
            log: _log, services: services => services.AddReceiveObserver(_ => _handled));
        // Changes by the scheduler, not by messages.
        foreach (var service in _host.Services.GetServices<IHostedService>()
            .Where(s => s.GetType().Namespace!.StartsWith("TaskQueue.Scheduler", StringComparison.Ordinal)))
            await service.StopAsync(CancellationToken.None);
        foreach (var user in new[] { BusFuzz.Producer, BusFuzz.Worker, BusFuzz.EventWorker })
        {
            var connection = await new ConnectionFactory { Uri = AddressOf(user) }.CreateConnectionAsync();
            _users[user] = (connection,
                await connection.CreateChannelAsync(new CreateChannelOptions(publisherConfirmationsEnabled: true,
                    publisherConfirmationTrackingEnabled: true)));
        }
    }

    public async Task DisposeAsync()
    {
        foreach (var (connection, channel) in _users.Values)
        {
            await channel.DisposeAsync();
            await connection.DisposeAsync();
        }

        await _host.DisposeAsync();
        await TestServers.DeleteVirtualHostAsync(_virtualHost);
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task No_message_breaks_the_server_or_blocks_the_next_and_refused_ones_change_nothing()
    {
        (await _host.Http.PutAsync("/queues/shop", new { delivery = "push" })).Status.ShouldBe(201);
        var tasks = await _host.Http.SubmitManyAsync(Enumerable.Range(0, Tasks).Select(_ => (object)new { queue = "shop", action = "a" }));
        var name = (await TestServers.QueueDepthsAsync(_virtualHost))
            .Single(q => q.Name.StartsWith("taskqueue.events:", StringComparison.Ordinal)).Name;
        var fuzz = new BusFuzz(tasks, name);
        var seed = Environment.GetEnvironmentVariable("TASKQUEUE_FUZZ_SEED") is { Length: > 0 } given
            ? int.Parse(given, CultureInfo.InvariantCulture) : DefaultSeed;
        var wanted = Environment.GetEnvironmentVariable("TASKQUEUE_FUZZ_MESSAGES") is { Length: > 0 } number
            ? int.Parse(number, CultureInfo.InvariantCulture) : (int?)null;
        var (random, begun) = (new Random(seed), TimeProvider.System.GetTimestamp());
        var (sent, compared) = (0, 0);
        while (wanted is { } most ? sent < most : TimeProvider.System.GetElapsedTime(begun) < Budget)
        {
            var before = random.Next(2) == 0 ? await StateAsync() : ((int Refused, string Fingerprint)?)null;
            List<FuzzMessage> messages = [.. Enumerable.Range(0, before is null ? AtOnce : 1).Select(_ => fuzz.Next(random))];
            var shown = messages.Select(m =>
                $"{m.Exchange} {m.ContentType} {Encoding.Latin1.GetString(m.Body[..Math.Min(2000, m.Body.Length)])}");
            var what = $"seed {seed}, messages from {sent}: {string.Join('\n', shown)}";
            await Task.WhenAll(messages.Select((message, i) => PublishAsync(message, sent + i)));
            var upTo = sent += messages.Count;
            await Eventually.UntilAsync(() => Task.FromResult(_handled.Count == upTo), TestHttp.Patience, $"all are handled; {what}");
            _log.Failures.ShouldBeEmpty(what);
            if (before is not { } was || await StateAsync() is var now && now.Refused == was.Refused)
                continue;
            compared++;
            now.Fingerprint.ShouldBe(was.Fingerprint, what);
        }

        compared.ShouldBeGreaterThan(0);
        var (applied, refused) = await OutcomesAsync(tasks);
        applied.ShouldBeGreaterThan(0, "some messages are right");
        refused.ShouldBeGreaterThan(0, "some are wrong");
        (await TypesAsync()).ShouldContain(TaskEventType.Started, "some reports are right");
        Console.WriteLine($"{provider}: {sent} messages, {applied} tasks accepted, {refused} set aside, {compared} compared, seed {seed}");
    }

    private static Dictionary<string, string?> Settings => new()
    {
        ["TaskQueue:Bus:Producers:0:User"] = BusFuzz.Producer,
        ["TaskQueue:Bus:Producers:0:Queues:0"] = "shop*",
        ["TaskQueue:Bus:Workers:0:User"] = BusFuzz.Worker,
        ["TaskQueue:Bus:Workers:0:Queues:0"] = "*",
        ["TaskQueue:Bus:Workers:1:User"] = BusFuzz.EventWorker,
        ["TaskQueue:Bus:Workers:1:Queues:0"] = "*",
    };

    private Uri AddressOf(string user) => new UriBuilder(_virtualHost) { UserName = user, Password = $"{user}-dev" }.Uri;

    private async Task PublishAsync(FuzzMessage message, int number)
    {
        var properties = new BasicProperties
        {
            UserId = message.User, Headers = new Dictionary<string, object?> { [HandledMessages.Header] = number },
        };
        if (message.ContentType is { } type)
            properties.ContentType = type;
        await _users[message.User].Channel.BasicPublishAsync(message.Exchange, "", mandatory: true, properties, message.Body);
    }

    /// <summary>Messages that were refused whole, and the data that they must not change.</summary>
    private async Task<(int Refused, string Fingerprint)> StateAsync()
    {
        await using var db = _database.CreateContext();
        var refused = await db.Quarantine.Where(q => q.Subject.Contains(":message:") || q.Subject.Contains(":sender:"))
            .SumAsync(q => q.Count);
        var tasks = await db.Tasks.AsNoTracking().OrderBy(t => t.CorrelationId).ToListAsync();
        return (refused, string.Join('\n', tasks.Select(t => t.Describe())) + (await db.EventsAsync()).Count);
    }

    private async Task<List<TaskEventType>> TypesAsync()
    {
        await using var db = _database.CreateContext();
        return await db.Outbox.Select(o => o.Type).Distinct().ToListAsync();
    }

    private async Task<(int Applied, int Refused)> OutcomesAsync(List<Guid> own)
    {
        await using var db = _database.CreateContext();
        return (await db.Tasks.CountAsync(t => !own.Contains(t.CorrelationId)), await db.Quarantine.SumAsync(q => q.Count));
    }

    /// <summary>The numbers of the messages that the server has processed.</summary>
    private sealed class HandledMessages : IReceiveObserver
    {
        public const string Header = "fuzz-number";

        private readonly ConcurrentDictionary<string, bool> _numbers = new();

        public int Count => _numbers.Count;

        public Task PreReceive(ReceiveContext context) => Task.CompletedTask;

        public Task PostReceive(ReceiveContext context) => NoteAsync(context);

        public Task ReceiveFault(ReceiveContext context, Exception exception) => NoteAsync(context);

        public Task PostConsume<T>(ConsumeContext<T> context, TimeSpan duration, string consumerType)
            where T : class => Task.CompletedTask;

        public Task ConsumeFault<T>(ConsumeContext<T> context, TimeSpan duration, string consumerType, Exception exception)
            where T : class => Task.CompletedTask;

        private Task NoteAsync(ReceiveContext context)
        {
            if (context.TransportHeaders.TryGetHeader(Header, out var number))
                _numbers.TryAdd(Convert.ToString(number, CultureInfo.InvariantCulture)!, true);
            return Task.CompletedTask;
        }
    }
}

public sealed class BusFuzzOnSqlite() : BusFuzzTests(DatabaseProvider.Sqlite);

public sealed class BusFuzzOnPostgres() : BusFuzzTests(DatabaseProvider.Postgres);
