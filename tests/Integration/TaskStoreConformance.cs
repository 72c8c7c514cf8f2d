using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine.Tasks;
using TaskQueue.Tests.Servers;
using Xunit;
using static TaskQueue.Tests.Servers.TestTasks;

namespace TaskQueue.Tests.Integration;

/// <summary>The behaviour of every store, whatever its database. Each test starts with empty tables.</summary>
public abstract partial class TaskStoreConformance(StoreFixture fixture) : IAsyncLifetime
{
    private static readonly string[] NotLoaded = ["Payload", "Headers", "Result", "Tags", "ScheduleId", "ListedAs"];

    /// <summary>Of earlier attempts a worker gets nothing that may be large; and nothing that only lists need.</summary>
    private static readonly string[] NotDelivered = ["Error", "ListedAs"];

    private ITaskStore Store => fixture.Engine.Store;

    private TestDatabase Database => fixture.Database;

    public Task InitializeAsync() => Database.ClearAsync();

    public Task DisposeAsync() => Task.CompletedTask;

    [Fact]
    public async Task Every_column_survives_with_microseconds()
    {
        var full = Full();
        var bare = New(change: t => (t.Name, t.Headers) = (null, null));

        await Store.InsertAsync([full, bare]);

        (await Database.GetAsync(full.CorrelationId)).Describe().ShouldBe(full.Describe());
        (await Database.GetAsync(bare.CorrelationId)).Describe().ShouldBe(bare.Describe());
        (await Store.ReadForDispatchAsync([full.CorrelationId], int.MaxValue)).ShouldHaveSingleItem().Describe(NotDelivered)
            .ShouldBe(full.Describe(NotDelivered));
        T0.Microsecond.ShouldNotBe(0);
    }

    [Fact]
    public async Task Every_column_survives_every_move_of_a_task()
    {
        var task = Full();
        await Store.InsertAsync([task]);

        await MoveAsync(TaskEventType.Started, t =>
        {
            (t.State, t.Attempt, t.AttemptsLeft, t.Worker, t.ClaimedBy) = (TaskStates.Running, 5, 4, "worker-2", "key-2");
            (t.LeaseMs, t.LeaseUntil, t.StartedAt) = (1500, T0.AddMicroseconds(7), T0.AddMicroseconds(8));
            (t.Limited, t.DispatchAt, t.Progress) = (true, null, "[2]");
        });
        await MoveAsync(TaskEventType.Retrying, t =>
        {
            (t.State, t.Error, t.DueAt, t.DispatchAt) = (TaskStates.Retrying, "again", T0.AddMicroseconds(9), T0.AddMicroseconds(10));
            (t.Limited, t.LeaseUntil, t.ExpiresAt) = (false, null, T0.AddMicroseconds(11));
        });
        await MoveAsync(TaskEventType.Failed, t =>
        {
            (t.State, t.Result, t.Error, t.FinishedAt) = (TaskStates.Failed, """{"ö":1}""", "broken 😀", T0.AddMicroseconds(12));
            (t.Dead, t.DeleteAt, t.DispatchAt, t.Progress) = (true, T0.AddMicroseconds(13), null, "[3]");
        });
        await MoveAsync(TaskEventType.Submitted, t =>
        {
            (t.State, t.Result, t.Error, t.FinishedAt, t.DeleteAt) = (TaskStates.Pending, null, null, null, null);
            (t.Dead, t.AttemptsLeft, t.DueAt, t.ExpiresAt) = (false, 9, T0.AddMicroseconds(14), null);
        });

        async Task MoveAsync(TaskEventType type, Action<TaskState> change)
        {
            await using (var session = await Store.BeginAsync())
            {
                var loaded = (await session.LoadAsync([task.CorrelationId]))[task.CorrelationId];
                loaded.Describe(NotLoaded).ShouldBe(task.Describe(NotLoaded));
                change(loaded);
                change(task);
                loaded.Record(type, T0);
                (await session.SaveAsync([], [loaded])).ShouldBeEmpty();
            }

            (await Database.GetAsync(task.CorrelationId)).Describe().ShouldBe(task.Describe());
        }
    }

    [Fact]
    public async Task Existing_tasks_are_unchanged_and_get_no_event()
    {
        var old = New("first");
        await Store.InsertAsync([old]);
        var again = New("second", t => t.CorrelationId = old.CorrelationId);
        var fresh = New("second");

        var inserted = await Store.InsertAsync([again, fresh]);

        inserted.ShouldBe([fresh.CorrelationId]);
        (await Database.GetAsync(old.CorrelationId)).Describe().ShouldBe(old.Describe());
        (await Database.EventsOfAsync(old.CorrelationId)).Count.ShouldBe(1);
        (await Database.EventsOfAsync(fresh.CorrelationId)).Count.ShouldBe(1);
    }

    [Fact]
    public async Task The_first_of_two_tasks_with_one_id_in_a_list_is_inserted()
    {
        var first = New("first");
        var second = New("second", t => t.CorrelationId = first.CorrelationId);

        (await Store.InsertAsync([first, second])).ShouldBe([first.CorrelationId]);

        (await Database.GetAsync(first.CorrelationId)).Queue.ShouldBe("first");
        (await Database.EventsOfAsync(first.CorrelationId)).Count.ShouldBe(1);
    }

    [Theory]
    [InlineData(false, 0, false)]
    [InlineData(true, 0, true)]
    [InlineData(true, 1, false)]
    public async Task An_inserted_task_is_announced_and_a_due_push_task_is_dispatched_at_once(bool push, int dueMicroseconds,
        bool dispatch)
    {
        var task = New("reports", t => (t.Tier, t.Push, t.DueAt) = (3, push, T0.AddMicroseconds(dueMicroseconds)));
        task.DispatchAt = TaskStateMachine.FirstDispatch(task, atOnce: true);

        await Store.InsertAsync([task]);

        var e = (await Database.EventsOfAsync(task.CorrelationId)).ShouldHaveSingleItem();
        (e.Type, e.Queue, e.Tier, e.Attempt, e.Worker, e.Error).ShouldBe((TaskEventType.Submitted, "reports", 3, 0, null, null));
        (e.At, e.DueAt, e.Dispatch).ShouldBe((T0, task.DueAt, dispatch));
    }

    [Fact]
    public async Task The_same_tasks_inserted_side_by_side_in_any_order_are_inserted_once()
    {
        for (var round = 0; round < 5; round++)
        {
            var tasks = Enumerable.Range(0, 300).Select(_ => New()).ToList();
            var reversed = Enumerable.Reverse(tasks).ToList();
            var lists = new[] { tasks, reversed, tasks, reversed };

            var inserted = await Task.WhenAll(lists.Select(list => Task.Run(() => Store.InsertAsync(list))));

            inserted.SelectMany(ids => ids).Order().ShouldBe(tasks.Select(t => t.CorrelationId).Order());
        }
    }

    [Fact]
    public async Task Only_tasks_that_wait_are_read_for_dispatch()
    {
        var tasks = TaskStates.All.Select(state => New(change: t => t.State = state)).ToList();
        await Store.GivenAsync(Database, tasks);

        var read = await Store.ReadForDispatchAsync([.. tasks.Select(t => t.CorrelationId), Guid.NewGuid()], int.MaxValue);

        read.Select(t => t.State).Order().ShouldBe([TaskStates.Pending, TaskStates.Retrying]);
    }

    /// <summary>A waiting task with a different value in every column that it can have.</summary>
    private static TaskState Full() => New("reports", t =>
    {
        (t.State, t.Tier, t.Priority, t.Push, t.Name) = (TaskStates.Retrying, 7, Priority.Critical, true, "größe 😀 'x' \"y\"");
        (t.Payload, t.Headers, t.Error, t.Progress) = ("""{"text":"ö\n"}""", """{"trace":"1"}""", "broken: ü", "[1]");
        (t.Attempt, t.AttemptsLeft, t.MaxAttempts, t.DefaultLeaseMs, t.LeaseMs) = (4, 5, 9, 2000, 86_400_000);
        (t.Worker, t.ClaimedBy, t.Owner, t.Retry) = ("worker-1", "key-1", "ann", """{"intervals":[1]}""");
        (t.DueAt, t.ExpiresAt) = (T0.AddMicroseconds(2), T0.AddMicroseconds(3));
        (t.StartedAt, t.DispatchAt, t.Crashes) = (T0.AddMicroseconds(4), T0.AddMicroseconds(6), 2);
        (t.Tags, t.ScheduleId, t.ListedAs) = ("größe:😀,a b", 12, Guid.NewGuid());
    });
}
