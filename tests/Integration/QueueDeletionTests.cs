using Microsoft.Extensions.DependencyInjection;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;
using Shouldly;
using TaskQueue.Bus;
using TaskQueue.Engine;
using TaskQueue.Engine.Administration;
using TaskQueue.Engine.Queues;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>The deletion of a push queue, whose messages the broker drops twice.</summary>
public sealed class QueueDeletionTests : IAsyncLifetime
{
    private const string Name = "mail";

    private readonly Announcer _announcer = new();
    private TestDatabase _database = null!;
    private TestEngine _engine = null!;
    private LateStore _store = null!;
    private QueueService _queues = null!;

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        _engine = new TestEngine(_database.Address, time: new SetTime(new DateTime(2031, 2, 3, 4, 5, 6, DateTimeKind.Utc)));
        _store = new LateStore(_engine.QueueStore);
        _queues = ActivatorUtilities.CreateInstance<QueueService>(_engine.Services, _announcer, _store);
        (await _queues.CreateAsync(Name, Delivery.Push, QueueSettings.Default)).ShouldNotBeNull();
    }

    public async Task DisposeAsync()
    {
        await _engine.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task A_deleted_queue_is_emptied_twice()
    {
        (await _queues.DeleteAsync(Name)).ShouldBeTrue();

        _announcer.Emptied.ShouldBe(2);
    }

    [Fact]
    public async Task A_new_queue_of_the_same_name_keeps_its_messages()
    {
        var created = false;
        _store.Purging = async () =>
        {
            if (_announcer.Told < 2 || created) // of the creation and of the deletion
                return;
            created = true;
            (await _queues.CreateAsync(Name, Delivery.Push, QueueSettings.Default)).ShouldNotBeNull();
        };

        (await _queues.DeleteAsync(Name)).ShouldBeTrue();

        (created, _announcer.Emptied).ShouldBe((true, 1));
    }

    [Fact]
    public async Task A_broker_that_fails_in_the_end_fails_no_deletion()
    {
        _announcer.MaxEmptied = 1;

        (await _queues.DeleteAsync(Name)).ShouldBeTrue();

        _announcer.Emptied.ShouldBe(2);
    }

    [Fact]
    public async Task Every_failure_of_the_broker_is_one()
    {
        foreach (var fault in new Exception[]
        {
            new OperationInterruptedException(new ShutdownEventArgs(ShutdownInitiator.Peer, 405, "RESOURCE_LOCKED")),
            new TimeoutException(), new OperationCanceledException(), new BrokerUnreachableException(new IOException()),
        })
        {
            (await Should.ThrowAsync<BrokerSilentException>(() =>
                QueueAnnouncer.CallAsync(_ => Task.FromException(fault), TimeSpan.FromMinutes(1)))).InnerException.ShouldBe(fault);
        }

        var silent = QueueAnnouncer.CallAsync(_ => new TaskCompletionSource().Task, TimeSpan.FromMilliseconds(50));
        await Should.ThrowAsync<BrokerSilentException>(() => silent.WaitAsync(TimeSpan.FromSeconds(20)));
    }

    private sealed class Announcer : IQueueAnnouncer
    {
        public int Emptied { get; private set; }

        public int MaxEmptied { get; set; } = int.MaxValue;

        public int Told { get; private set; }

        public Task DeclareAsync(string name) => Task.CompletedTask;

        public Task EmptyAsync(string name) =>
            ++Emptied > MaxEmptied ? Task.FromException(new BrokerSilentException("the broker is unavailable")) : Task.CompletedTask;

        public Task PublishChangedAsync(string name)
        {
            Told++;
            return Task.CompletedTask;
        }
    }

    /// <summary>Lets a test do something before each step of a purge.</summary>
    private sealed class LateStore(IQueueStore inner) : IQueueStore
    {
        public Func<Task> Purging { get; set; } = () => Task.CompletedTask;

        public Task AdoptAsync(string queue) => inner.AdoptAsync(queue);

        public Task ApplyLimitsAsync(string queue) => inner.ApplyLimitsAsync(queue);

        public Task RearmAsync(string queue, DateTime now) => inner.RearmAsync(queue, now);

        public async Task<PurgedTasks> PurgeAsync(
            string queue, EventPolicy events, DateTime now, int max, DateTime acceptedBefore, PurgeMark from)
        {
            await Purging();
            return await inner.PurgeAsync(queue, events, now, max, acceptedBefore, from);
        }

        public Task ResetAsync(string queue) => inner.ResetAsync(queue);

        public Task<QueueStats> StatsAsync(string queue, DateTime now) => inner.StatsAsync(queue, now);

        public Task<int> RemoveDeletedAsync(DateTime now, int max) => inner.RemoveDeletedAsync(now, max);
    }
}
