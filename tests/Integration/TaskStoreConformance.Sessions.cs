using Shouldly;
using TaskQueue.Engine.Tasks;
using TaskQueue.Tests.Servers;
using Xunit;
using static TaskQueue.Tests.Servers.TestTasks;

namespace TaskQueue.Tests.Integration;

public abstract partial class TaskStoreConformance
{
    [Fact]
    public async Task A_session_loads_what_exists_without_payload_headers_and_result()
    {
        var task = Full();
        await Store.InsertAsync([task]);

        await using var session = await Store.BeginAsync();
        var loaded = await session.LoadAsync([Guid.NewGuid(), task.CorrelationId]);

        loaded.Keys.ShouldBe([task.CorrelationId]);
        loaded[task.CorrelationId].Describe(NotLoaded).ShouldBe(task.Describe(NotLoaded));
        (loaded[task.CorrelationId].Payload, loaded[task.CorrelationId].Headers).ShouldBe(("", null));
    }

    [Fact]
    public async Task Of_several_tasks_those_with_a_long_error_are_loaded_by_themselves()
    {
        var (small, large) = (Full(), Full());
        (small.Error, large.Error) = (new string('s', 1000), new string('l', 1_000_000));
        await Store.InsertAsync([small, large]);

        await using (var session = await Store.BeginAsync())
        {
            var loaded = await session.LoadAsync([small.CorrelationId, large.CorrelationId]);
            loaded.Values.Select(t => (t.CorrelationId, t.IsPartial, t.Error)).ShouldBe(
                [(small.CorrelationId, false, small.Error), (large.CorrelationId, true, null)], ignoreOrder: true);
        }

        await using var alone = await Store.BeginAsync();
        var whole = (await alone.LoadAsync([large.CorrelationId]))[large.CorrelationId];
        (whole.IsPartial, whole.Error).ShouldBe((false, large.Error));
    }

    [Fact]
    public async Task A_save_writes_inserts_updates_and_their_events()
    {
        var (old, fresh) = (Full(), New("fresh"));
        await Store.InsertAsync([old]);

        await using (var session = await Store.BeginAsync())
        {
            var changed = (await session.LoadAsync([old.CorrelationId]))[old.CorrelationId];
            foreach (var task in new[] { changed, old })
            {
                (task.State, task.Attempt, task.AttemptsLeft, task.Error, task.Result, task.Worker) = (TaskStates.Failed, 7, 1, "at last",
                    null, null);
                (task.LeaseMs, task.LeaseUntil, task.DueAt, task.ExpiresAt) = (1, null, Later, null);
                (task.StartedAt, task.FinishedAt, task.DispatchAt) = (Later.AddMicroseconds(1), Later.AddMicroseconds(2), null);
            }

            changed.Record(TaskEventType.Failed, Later);
            fresh.Record(TaskEventType.Submitted, T0, dispatch: true);
            (await session.SaveAsync([fresh], [changed])).ShouldBeEmpty();
        }

        (await Database.GetAsync(old.CorrelationId)).Describe().ShouldBe(old.Describe());
        (await Database.GetAsync(fresh.CorrelationId)).Describe().ShouldBe(fresh.Describe());
        (await Database.EventsOfAsync(old.CorrelationId))[1..].Select(Step)
            .ShouldBe([(TaskEventType.Failed, 7, 7, null, "at last", Later, null, false)]);
        (await Database.EventsOfAsync(fresh.CorrelationId)).Select(Step)
            .ShouldBe([(TaskEventType.Submitted, 0, 0, null, null, T0, T0, true)]);
    }

    [Fact]
    public async Task An_insert_of_a_taken_id_writes_nothing_of_the_group()
    {
        var (taken, fresh, updated) = (New(), New(), New());
        await Store.InsertAsync([taken, updated]);

        await using (var session = await Store.BeginAsync())
        {
            var changed = (await session.LoadAsync([updated.CorrelationId]))[updated.CorrelationId];
            changed.State = TaskStates.Cancelled;
            changed.Record(TaskEventType.Cancelled, T0);
            fresh.Record(TaskEventType.Submitted, T0);
            var again = New("again", t => t.CorrelationId = taken.CorrelationId);
            await Should.ThrowAsync<TaskIdTakenException>(() => session.SaveAsync([fresh, again], [changed]));
        }

        (await Database.FindAsync(fresh.CorrelationId)).ShouldBeNull();
        (await Database.EventsOfAsync(fresh.CorrelationId)).ShouldBeEmpty();
        (await Database.GetAsync(taken.CorrelationId)).Describe().ShouldBe(taken.Describe());
        (await Database.GetAsync(updated.CorrelationId)).Describe().ShouldBe(updated.Describe());
        (await Database.EventsOfAsync(updated.CorrelationId)).Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_taken_id_is_told_although_the_queue_writes_no_events()
    {
        var taken = New();
        await Store.InsertAsync([taken]);

        await using (var session = await Store.BeginAsync())
            await Should.ThrowAsync<TaskIdTakenException>(
                () => session.SaveAsync([New("q", t => t.CorrelationId = taken.CorrelationId)], []));

        (await Database.GetAsync(taken.CorrelationId)).Describe().ShouldBe(taken.Describe());
    }

    [Fact]
    public async Task A_taken_id_among_new_ones_is_told_although_the_queue_writes_no_events()
    {
        TaskState[] tasks = [.. Enumerable.Range(0, 3).Select(_ => New()).OrderBy(t => t.CorrelationId)];
        await Store.InsertAsync([tasks[1]]);

        await using (var session = await Store.BeginAsync())
            await Should.ThrowAsync<TaskIdTakenException>(() => session.SaveAsync(tasks, []));

        (await Database.FindAsync(tasks[0].CorrelationId)).ShouldBeNull();
    }

    [Fact]
    public async Task A_change_of_an_ended_task_neither_reads_its_result_nor_loses_it()
    {
        var task = New(change: t => (t.State, t.Attempt, t.Worker, t.Result, t.FinishedAt) = (TaskStates.Completed, 1, "w", "[1]", T0));
        await Store.GivenAsync(Database, task);

        await using (var session = await Store.BeginAsync())
            (await session.LoadAsync([task.CorrelationId]))[task.CorrelationId].Result.ShouldBeNull();
        (await SendAsync(new DeleteTask(task.CorrelationId, Later))).ShouldBe(CommandResult.Applied);

        var row = await Database.GetAsync(task.CorrelationId);
        (row.Result, row.DeleteAt).ShouldBe(("[1]", Later));
    }

    [Fact]
    public async Task An_unsaved_session_leaves_nothing_behind_and_holds_no_locks()
    {
        var task = New();
        await Store.InsertAsync([task]);

        await using (var session = await Store.BeginAsync())
            (await session.LoadAsync([task.CorrelationId]))[task.CorrelationId].State = TaskStates.Cancelled;

        (await Store.ClaimAsync(Request(1, "q"), Later)).Count.ShouldBe(1);
    }
}
