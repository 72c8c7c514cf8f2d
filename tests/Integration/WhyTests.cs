using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Shouldly;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Notifications;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Why;
using TaskQueue.Engine.Workers;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;
using static TaskQueue.Tests.Servers.TestTasks;

namespace TaskQueue.Tests.Integration;

/// <summary>Why tasks do not run, on each database.</summary>
public abstract partial class WhyTests(StoreFixture fixture) : IAsyncLifetime
{
    private static readonly DateTime Now = T0.AddHours(1);

    private readonly string _queue = $"q{Guid.NewGuid():N}";

    public sealed class OnPostgres(PostgresStoreFixture fixture) : WhyTests(fixture), IClassFixture<PostgresStoreFixture>;

    public sealed class OnSqlite(SqliteStoreFixture fixture) : WhyTests(fixture), IClassFixture<SqliteStoreFixture>;

    public Task InitializeAsync() => fixture.Database.ClearAsync();

    public Task DisposeAsync() => Task.CompletedTask;

    [Fact]
    public async Task A_task_that_is_due_later_says_when()
    {
        var (later, retried) = (New(_queue, t => t.DueAt = Now.AddHours(1)), New(_queue, t =>
            (t.State, t.DueAt, t.Attempt) = (TaskStates.Retrying, Now.AddMicroseconds(1), 1)));
        await InsertAsync(later, retried);

        var (why, again) = (await AskAsync(later), await AskAsync(retried));

        Words(why).ShouldBe([Gates.DueTime]); // nobody serves the queue, which matters only when it is due
        (why.State, why.Gates[0].OpensAt, why.Message).ShouldBe((TaskStates.Pending, Now.AddHours(1), why.Gates[0].Message));
        why.Message.ShouldContain("2031-02-03 06:05:06");
        again.Gates.ShouldHaveSingleItem().OpensAt.ShouldBe(Now.AddMicroseconds(1));
        again.Message.ShouldContain("An attempt failed");
    }

    [Fact]
    public async Task A_paused_queue_holds_all_its_tasks_up()
    {
        await DeclareAsync(new QueueSettings { Paused = true });
        var (due, later) = (New(_queue), New(_queue, t => t.DueAt = Now.AddDays(1)));
        await InsertAsync(due, later);

        Words(await AskAsync(due)).ShouldBe([Gates.Paused, Gates.NoWorker]);
        Words(await AskAsync(later)).ShouldBe([Gates.DueTime, Gates.Paused]);
        (await AskAsync(due)).Message.ShouldContain(_queue);
    }

    [Fact]
    public async Task A_full_queue_names_the_tasks_whose_lease_ends_first()
    {
        await DeclareAsync(new QueueSettings { MaxRunning = 7 });
        await ServeAsync("w", _queue);
        var waiting = New(_queue);
        List<TaskState> running =
            [.. Enumerable.Range(0, 7).Select(n => Running(_queue, t => t.LeaseUntil = Now.AddSeconds(70 - (10 * n))))];
        await InsertAsync([waiting, .. running[1..], Running(_queue, t => t.Limited = false), Running("other")]);
        Words(await AskAsync(waiting)).ShouldBe([Gates.WaitingTurn]);

        await InsertAsync(running[0]);

        var gate = (await AskAsync(waiting)).Gates.ShouldHaveSingleItem();
        gate.Gate.ShouldBe(Gates.ConcurrencyLimit);
        gate.Message.ShouldContain("runs 7 tasks, and at most 7");
        gate.Holders.Select(h => h.TaskId).ShouldBe(Enumerable.Reverse(running[2..]).Select(t => t.CorrelationId));
        (gate.Holders[0].State, gate.Holders[0].LeaseUntil, gate.OpensAt).ShouldBe((TaskStates.Running, Now.AddSeconds(10), null));
    }

    [Fact]
    public async Task A_queue_without_tokens_says_when_the_next_one_comes()
    {
        await DeclareAsync(new QueueSettings { Rate = new RateLimit(10, 60_000) });
        await ServeAsync("w", _queue);
        var task = New(_queue);
        await InsertAsync(task);
        Words(await AskAsync(task)).ShouldBe([Gates.WaitingTurn]); // its first claim has not been made
        foreach (var (emptyAt, opens) in new (DateTime, DateTime?)[]
        {
            (Now.AddSeconds(-6), null), (Now.AddSeconds(-600), null), (Now.AddSeconds(-5.5), Now.AddSeconds(0.5)),
            (Now.AddSeconds(-5.999999), Now.AddMicroseconds(1)), (Now.AddSeconds(9), Now.AddSeconds(15)),
        })
        {
            await ChangeAsync(async db =>
            {
                await db.Set<QueueLimitRow>().Where(l => l.Queue == _queue).ExecuteDeleteAsync();
                db.Add(new QueueLimitRow { Queue = _queue, BucketBase = Micros.FromTime(emptyAt) * 1000 });
            });

            var gate = (await AskAsync(task)).Gates.ShouldHaveSingleItem();

            (gate.Gate, gate.OpensAt).ShouldBe((opens is null ? Gates.WaitingTurn : Gates.RateLimit, opens), $"{emptyAt:O}");
            if (opens is not null)
                gate.Message.ShouldContain("may start 10 tasks every 60 s");
        }
    }

    [Fact]
    public async Task A_blocked_task_names_the_head_of_its_ordering_key()
    {
        await ServeAsync("w", _queue);
        var head = New(_queue, t => (t.State, t.OrderingKey, t.DueAt) = (TaskStates.Retrying, "k", Now.AddMinutes(5)));
        List<TaskState> blocked =
            [.. Enumerable.Range(1, 3).Select(n => New(_queue, t => (t.OrderingKey, t.Blocked, t.DueAt) = ("k", true, T0.AddSeconds(n))))];
        await InsertAsync([head, .. blocked, New(_queue, t => t.OrderingKey = "other")]);

        var why = await Task.WhenAll(blocked.Select(t => AskAsync(t)));

        why.ShouldAllBe(w => w.Gates.Count == 1 && w.Gates[0].Gate == Gates.OrderingKey);
        why.Select(w => w.Gates[0].Position).ShouldBe([2, 3, 4]);
        why[2].Gates[0].Holders.ShouldHaveSingleItem()
            .ShouldBe(new GateHolder(head.CorrelationId, TaskStates.Retrying, Now.AddMinutes(5), null));
        why[2].Message.ShouldContain("which may start at 2031-02-03 05:10:06");
        why[2].Message.ShouldContain("then 2 others");
        Words(await AskAsync(head)).ShouldBe([Gates.DueTime]);
    }

    [Fact]
    public async Task A_running_head_of_an_ordering_key_has_to_end()
    {
        var head = Running(_queue, t => t.OrderingKey = "k");
        var blocked = New(_queue, t => (t.OrderingKey, t.Blocked, t.DueAt) = ("k", true, Now.AddDays(1)));
        await InsertAsync(head, blocked);

        var why = await AskAsync(blocked);

        Words(why).ShouldBe([Gates.DueTime, Gates.OrderingKey]);
        why.Gates[1].Message.ShouldContain("the running one has to end first");
        (why.Gates[1].Position, why.Gates[1].Holders[0].TaskId, why.Gates[1].Holders[0].LeaseUntil)
            .ShouldBe((2, head.CorrelationId, head.LeaseUntil));
    }

    [Fact]
    public async Task Sequential_workers_wait_for_the_task_that_locks_their_tier()
    {
        await ServeAsync("w", $"{_queue}:3 {_queue}");
        var (holder, waiting, elsewhere) = (Running(_queue, t => t.Tier = 3), New(_queue, t => t.Tier = 3), New(_queue));
        await InsertAsync(holder, waiting, elsewhere);
        await ChangeAsync(db =>
        {
            db.Add(new QueueLock { Queue = _queue, Tier = 3, TaskId = holder.CorrelationId, Attempt = 1, Until = Now.AddMinutes(10) });
            return Task.CompletedTask;
        });

        var gate = (await AskAsync(waiting)).Gates.ShouldHaveSingleItem();

        (gate.Gate, gate.OpensAt, gate.Holders.Single().TaskId).ShouldBe((Gates.TierLock, Now.AddMinutes(10), holder.CorrelationId));
        Words(await AskAsync(elsewhere)).ShouldBe([Gates.WaitingTurn]);
        await ChangeAsync(db => db.Set<QueueLock>().ExecuteUpdateAsync(l => l.SetProperty(x => x.Attempt, 2)));
        Words(await AskAsync(waiting)).ShouldBe([Gates.WaitingTurn]); // of an attempt that is over
    }

    [Fact]
    public async Task A_task_of_a_queue_that_nobody_claims_says_since_when()
    {
        var (task, tier) = (New(_queue), New(_queue, t => t.Tier = 2));
        await InsertAsync(task, tier);
        (await AskAsync(task)).Gates.ShouldHaveSingleItem().Gate.ShouldBe(Gates.NoWorker);
        (await AskAsync(tier)).Message.ShouldBe($"No worker claims from {_queue}:2: none that did is known.");

        await ServeAsync("longer", $"{_queue}x x{_queue} {_queue}:2");
        await ServeAsync("stopped", $"a {_queue}", w => (w.State, w.LastSeenAt) = (WorkerState.Stopped, Now.AddMinutes(-7)));
        await ServeAsync("draining", $"{_queue} a", w => (w.Draining, w.LastSeenAt) = (true, Now.AddMinutes(-9)));
        (await AskAsync(task)).Message.ShouldContain("the last one was seen at 2031-02-03 04:58:06");
        Words(await AskAsync(tier)).ShouldBe([Gates.WaitingTurn]);

        await ServeAsync("active", $"a {_queue} b:1");
        Words(await AskAsync(task)).ShouldBe([Gates.WaitingTurn]);
    }

    [Fact]
    public async Task A_worker_with_very_many_queues_or_seen_by_this_process_alone_counts_too()
    {
        var (task, other) = (New(_queue, t => t.DueAt = DateTime.UnixEpoch), New($"{_queue}-2", t => t.DueAt = DateTime.UnixEpoch));
        await InsertAsync(task, other);
        var registry = fixture.Engine.Services.GetRequiredService<WorkerRegistry>();
        registry.Seen(new(null, null, _queue), new WorkerContact("http", null), [new(_queue, 0)]);
        Words(await AskAsync(task, clock: TimeProvider.System)).ShouldBe([Gates.WaitingTurn]);
        Words(await AskAsync(other, clock: TimeProvider.System)).ShouldBe([Gates.NoWorker]);
        registry.Stopped(new(null, null, _queue));
        Words(await AskAsync(task, clock: TimeProvider.System)).ShouldBe([Gates.NoWorker]);

        await ServeAsync("many", string.Join(' ', Enumerable.Range(0, WorkerEntry.MaxQueues).Select(n => $"n{n}")));
        try
        {
            Words(await AskAsync(other)).ShouldBe([Gates.WaitingTurn]);
        }
        finally
        {
            await ChangeAsync(db => db.Workers.ExecuteDeleteAsync());
        }
    }

    [Fact]
    public async Task A_task_that_was_set_aside_says_when_and_by_what()
    {
        var (expiring, push, running) = (New(_queue, t => t.ExpiresAt = Now.AddHours(1)),
            New(_queue, t => (t.Push, t.DispatchAt) = (true, Now)), Running(_queue));
        await InsertAsync(expiring, push, running);
        foreach (var (task, sweep) in new[] { (expiring, Sweep.Expired), (push, Sweep.Dispatch), (running, Sweep.ExpiredLease) })
        {
            var item = new QuarantinedItem { Kind = "", Subject = $"{task.CorrelationId}", Reason = "a secret" };
            item.Kind = sweep switch { Sweep.Expired => "expiry", Sweep.Dispatch => "dispatch", _ => "lease" };
            (await fixture.Engine.Services.GetRequiredService<IParkingStore>().ParkTaskAsync(item, sweep, task.CorrelationId, default))
                .ShouldBeTrue();

            var why = await AskAsync(task);

            Words(why).ShouldBe([Gates.Quarantined]);
            why.Gates[0].Message.ShouldContain("so it was set aside at 20");
            why.Gates[0].Message.ShouldNotContain("secret");
            why.Gates[0].OpensAt.ShouldBeNull();
        }

        (await AskAsync(push)).Message.ShouldStartWith("It could not be sent to its workers");
        (await AskAsync(running)).Message.ShouldBe("Worker w has run attempt 1 since 2031-02-03 05:04:06.123 UTC.");
    }

    private async Task<WhyAnswer> AskAsync(
        TaskState task, Access? access = null, PushQueueState? push = null, TimeProvider? clock = null, bool isConfined = false) =>
        (await AskAsync(task.CorrelationId, access ?? Access.All, push, clock, isConfined)).ShouldNotBeNull();

    private Task<WhyAnswer?> AskAsync(
        Guid id, Access access, PushQueueState? push = null, TimeProvider? clock = null, bool isConfined = false)
    {
        var services = fixture.Engine.Services;
        services.GetRequiredService<QueueCatalog>().Invalidate();
        return new WhyService(
            services.GetRequiredService<IWhyQueries>(), services.GetRequiredService<QueueCatalog>(),
            services.GetRequiredService<WorkerRegistry>(), new KnownPushQueue(push ?? new(null, "", null, null)), fixture.Engine.Store,
            services.GetRequiredService<InFlightLimiter>(), services.GetRequiredService<IOptions<WorkerOptions>>(),
            clock ?? new SetTime(Now)).AskAsync(id, access, isConfined, CancellationToken.None);
    }

    private static IEnumerable<string> Words(WhyAnswer why) => why.Gates.Select(g => g.Gate);

    private static TaskState Running(string queue, Action<TaskState>? change = null) => New(queue, t =>
    {
        (t.State, t.Worker, t.Attempt, t.Limited) = (TaskStates.Running, "w", 1, true);
        (t.StartedAt, t.LeaseUntil) = (Now.AddMinutes(-1), Now.AddSeconds(15));
        change?.Invoke(t);
    });

    private Task DeclareAsync(QueueSettings settings, Delivery delivery = Delivery.Pull) => ChangeAsync(db =>
    {
        db.Queues.Add(new QueueRecord { Name = _queue, Delivery = delivery, Settings = settings, CreatedAt = T0, UpdatedAt = T0 });
        return Task.CompletedTask;
    });

    private Task ServeAsync(string name, string queues, Action<WorkerRecord>? change = null) => ChangeAsync(db =>
    {
        var worker = new WorkerRecord { Id = $"{Guid.NewGuid():N}", Name = name, Queues = queues, StartedAt = T0, LastSeenAt = Now };
        change?.Invoke(worker);
        db.Workers.Add(worker);
        return Task.CompletedTask;
    });

    private async Task InsertAsync(params IEnumerable<TaskState> tasks)
    {
        await using var context = fixture.Database.CreateContext();
        await context.InsertAsync(tasks);
    }

    private async Task ChangeAsync(Func<TaskDbContext, Task> change)
    {
        await using var context = fixture.Database.CreateContext();
        await change(context);
        await context.SaveChangesAsync();
    }

    private sealed class KnownPushQueue(PushQueueState state) : IPushQueues
    {
        public Task<PushQueueState> ReadAsync(string queue) => Task.FromResult(state);
    }
}
