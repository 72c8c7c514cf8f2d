using System.Data.Common;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;
using static TaskQueue.Tests.Servers.TestTasks;

namespace TaskQueue.Tests.Integration;

/// <summary>
/// Commands that commit together must not affect each other. One partition, so that a closed gate gathers all of them.
/// </summary>
public abstract partial class GroupCommitTests(DatabaseProvider provider, bool rowVersions = true) : IAsyncLifetime
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);

    private TestDatabase _database = null!;
    private TestEngine _engine = null!;
    private WatchedStore _store = null!;

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(provider, rowVersions: rowVersions);
        _engine = new TestEngine(_database.Address, partitions: 1, inner => _store = new WatchedStore(inner));
        _ = _engine.Store;
    }

    public async Task DisposeAsync()
    {
        _store.Open();
        await _engine.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task Concurrent_commands_share_transactions()
    {
        const int count = 2000;
        var submissions = Enumerable.Range(0, count).Select(_ => new TaskSubmission(TaskId.New(TimeProvider.System), "q", "{}")).ToList();

        var results = await Task.WhenAll(submissions.Select(s => Task.Run(() => _engine.Tasks.SubmitAsync(s))));

        results.ShouldAllBe(v => v.Result == SubmitStatus.Accepted);
        _engine.Committer.Groups.ShouldBeLessThan(count / 2);
        _store.Saves.Sum(s => s.Inserts).ShouldBe(count);
        (await _store.ReadForDispatchAsync([.. submissions.Select(s => s.Id)], int.MaxValue)).Count.ShouldBe(count);
    }

    [Fact]
    public async Task Commands_of_one_task_are_applied_in_their_order_in_one_transaction()
    {
        var task = await GivenAsync();

        var commands = await TogetherAsync(
            new StartTask(task.CorrelationId, T0, 1, "w", 1000),
            new RenewLease(task.CorrelationId, T0.AddSeconds(1), 1, "w"),
            new CompleteTask(task.CorrelationId, T0.AddSeconds(2), 1, "w", "1"),
            new CompleteTask(task.CorrelationId, T0.AddSeconds(2), 1, "w", "1"));

        commands.Select(c => c.CommandResult)
            .ShouldBe([CommandResult.Applied, CommandResult.Applied, CommandResult.Applied, CommandResult.Duplicate]);
        _store.Saves.ShouldBe([(0, 1)]);
        (await _database.GetAsync(task.CorrelationId)).State.ShouldBe(TaskStates.Completed);
        (await StepsAsync(task)).ShouldBe([TaskEventType.Submitted, TaskEventType.Started, TaskEventType.Completed]);
    }

    [Fact]
    public async Task Tasks_with_long_errors_of_earlier_attempts_leave_their_group_and_keep_them()
    {
        var error = new string('e', 100_000);
        var tasks = new List<TaskState>();
        for (var i = 0; i < 10; i++)
            tasks.Add(await GivenAsync(t => t.Error = error));
        var small = await GivenAsync();

        var commands = await TogetherAsync(
            [.. tasks.Append(small).Select(t => new StartTask(t.CorrelationId, T0, 1, "w", 1000))]);

        commands.ShouldAllBe(c => c.CommandResult == CommandResult.Applied);
        _store.Saves.Count.ShouldBe(11);
        foreach (var task in tasks)
            (await _database.GetAsync(task.CorrelationId)).Error.ShouldBe(error);
    }

    [Fact]
    public async Task A_task_can_be_submitted_started_and_completed_in_one_group()
    {
        var task = New(change: t => t.State = 0);

        await TogetherAsync(
            new SubmitTask(task),
            new StartTask(task.CorrelationId, T0, 1, "w", 1000),
            new CompleteTask(task.CorrelationId, T0, 1, "w", "1"));

        _store.Saves.ShouldBe([(1, 0), (0, 1)], "only a waiting task is inserted; the other commands follow");
        (await _database.GetAsync(task.CorrelationId)).State.ShouldBe(TaskStates.Completed);
        (await StepsAsync(task)).ShouldBe([TaskEventType.Submitted, TaskEventType.Started, TaskEventType.Completed]);
    }

    [Fact]
    public async Task A_group_in_which_nothing_changes_writes_nothing()
    {
        var task = await GivenAsync();

        var commands = await TogetherAsync(new RenewLease(task.CorrelationId, T0, 1, "w"), new CancelTask(Guid.NewGuid(), T0));

        commands.Select(c => c.CommandResult).ShouldBe([CommandResult.StaleAttempt, CommandResult.NotFound]);
        _store.Tries.ShouldBe(0);
    }

    [Fact]
    public async Task A_state_machine_that_throws_fails_only_its_caller_and_changes_nothing()
    {
        var (task, neighbour) = (await GivenAsync(), await GivenAsync());
        // The end of the wait after this failure is out of range.
        var broken = new FailTask(task.CorrelationId, DateTime.MaxValue, 1, "w", "half done", retryable: true);

        var sends = await SendTogetherAsync(
            new StartTask(task.CorrelationId, T0, 1, "w", 1000), broken, new CancelTask(neighbour.CorrelationId, T0));

        await Should.ThrowAsync<EventExecutionException>(sends[1]);
        await Task.WhenAll(sends[0], sends[2]);
        var row = await _database.GetAsync(task.CorrelationId);
        (row.State, row.Error).ShouldBe((TaskStates.Running, null));
        (await StepsAsync(task)).ShouldBe([TaskEventType.Submitted, TaskEventType.Started]);
        (await _database.GetAsync(neighbour.CorrelationId)).State.ShouldBe(TaskStates.Cancelled);
    }

    [Fact]
    public async Task A_row_rejected_by_the_database_fails_only_its_caller()
    {
        var tasks = new List<TaskState>();
        for (var i = 0; i < 9; i++)
            tasks.Add(await GivenAsync(t => (t.State, t.Attempt, t.Worker, t.LeaseUntil) = (TaskStates.Running, 1, "w", Later)));
        // PostgreSQL stores no NUL; other databases would, so there the store simulates it.
        if (provider != DatabaseProvider.Postgres)
            _store.Fault = rows => rows.Any(t => t.Error == "\0") ? new InvalidOperationException("no NUL") : null;

        var sends = await SendTogetherAsync([.. tasks.Select((t, i) =>
            new FailTask(t.CorrelationId, T0, 1, "w", i == 4 ? "\0" : "broken", retryable: false))]);

        await Should.ThrowAsync<Exception>(sends[4]);
        await Task.WhenAll(sends.Where((_, i) => i != 4));
        for (var i = 0; i < tasks.Count; i++)
            (await _database.GetAsync(tasks[i].CorrelationId)).State.ShouldBe(i == 4 ? TaskStates.Running : TaskStates.Failed);
        (await StepsAsync(tasks[4])).ShouldBe([TaskEventType.Submitted]);
        (await StepsAsync(tasks[5])).ShouldBe([TaskEventType.Submitted, TaskEventType.Failed]);
    }

    [Fact]
    public async Task A_repeated_command_gets_the_same_answer()
    {
        var (gone, task) = (await GivenAsync(), await GivenAsync());
        TaskCommand[] commands = [new CancelTask(gone.CorrelationId, T0), new CancelTask(task.CorrelationId, T0)];
        _store.Fault = _ =>
        {
            _store.Fault = null;
            _store.Close();
            return new TaskIdTakenException();
        };

        var sends = await SendTogetherAsync(commands);
        await Eventually.UntilAsync(() => Task.FromResult(_store is { Tries: 1, Waiting: 1 }), Deadline, "the group is about to run again");
        await DeleteAsync(gone);
        _store.Open();
        await Task.WhenAll(sends).WaitAsync(Deadline);

        commands.Select(c => c.CommandResult).ShouldBe([CommandResult.NotFound, CommandResult.Applied]);
    }

    [Fact]
    public async Task A_lost_database_fails_the_whole_group_at_once()
    {
        var tasks = new[] { await GivenAsync(), await GivenAsync(), await GivenAsync() };
        _store.Fault = _ => new LostDatabaseException();

        var sends = await SendTogetherAsync([.. tasks.Select(t => new CancelTask(t.CorrelationId, T0))]);

        foreach (var send in sends)
            await Should.ThrowAsync<LostDatabaseException>(send);
        _store.Tries.ShouldBe(1);
        _store.Fault = null;
        (await _engine.SendAsync(new CancelTask(tasks[0].CorrelationId, T0))).ShouldBe(CommandResult.Applied);
    }

    [Fact]
    public async Task A_submit_with_a_taken_id_is_a_duplicate_among_new_ones()
    {
        var old = await GivenAsync();
        var again = New("another", t => (t.CorrelationId, t.State) = (old.CorrelationId, 0));
        var fresh = Enumerable.Range(0, 5).Select(_ => New(change: t => t.State = 0)).ToList();

        var commands = await TogetherAsync([new SubmitTask(fresh[0]), new SubmitTask(again), .. fresh[1..].Select(t => new SubmitTask(t)),
            new SubmitTask(fresh[1])]);

        commands.Select(c => c.CommandResult).ShouldBe(
            [CommandResult.Applied, CommandResult.Duplicate, CommandResult.Applied, CommandResult.Applied, CommandResult.Applied,
                CommandResult.Applied, CommandResult.Duplicate]);
        (await _database.GetAsync(old.CorrelationId)).Describe().ShouldBe(old.Describe());
        foreach (var task in fresh.Append(old))
            (await StepsAsync(task)).ShouldBe([TaskEventType.Submitted]);
    }

    [Fact]
    public async Task A_cancelled_caller_neither_loses_its_command_nor_affects_others()
    {
        var tasks = new List<TaskState>();
        for (var i = 0; i < 6; i++)
            tasks.Add(await GivenAsync());
        using var stop = new CancellationTokenSource();

        await CloseAsync();
        var sends = tasks.Select((t, i) => _engine.SendAsync(new CancelTask(t.CorrelationId, T0), i % 2 == 0 ? stop.Token : default))
            .ToList();
        await stop.CancelAsync();
        _store.Open();

        await Task.WhenAll(sends).ContinueWith(_ => { }, TaskScheduler.Default).WaitAsync(Deadline);
        foreach (var send in sends.Where((_, i) => i % 2 == 1))
            (await send).ShouldBe(CommandResult.Applied);
        foreach (var task in tasks)
        {
            (await _database.GetAsync(task.CorrelationId)).State.ShouldBe(TaskStates.Cancelled);
            (await StepsAsync(task)).ShouldBe([TaskEventType.Submitted, TaskEventType.Cancelled]);
        }
    }

    [Fact]
    public async Task A_stop_commits_waiting_commands_and_refuses_later_ones()
    {
        var tasks = Enumerable.Range(0, 600).Select(_ => New(change: t => t.State = 0)).ToList();
        await CloseAsync();
        var sends = tasks.Select(t => _engine.SendAsync(new SubmitTask(t))).ToList();

        var stopping = _engine.Committer.StopAsync(CancellationToken.None);
        stopping.IsCompleted.ShouldBeFalse();
        await Should.ThrowAsync<Exception>(_engine.SendAsync(new SubmitTask(New(change: t => t.State = 0))));
        _store.Open();
        await stopping.WaitAsync(Deadline);

        (await Task.WhenAll(sends).WaitAsync(Deadline)).ShouldAllBe(v => v == CommandResult.Applied);
        (await _store.ReadForDispatchAsync([.. tasks.Select(t => t.CorrelationId)], int.MaxValue)).Count.ShouldBe(600);
    }

    private static DateTime Later => T0.AddMinutes(1);

    private async Task<TaskState> GivenAsync(Action<TaskState>? change = null)
    {
        var task = New(change: change);
        await _store.GivenAsync(_database, task);
        return task;
    }

    private async Task DeleteAsync(TaskState task)
    {
        await using var context = _database.CreateContext();
        await context.Ready.Where(t => t.CorrelationId == task.CorrelationId).ExecuteDeleteAsync();
        await context.Submitted.Where(t => t.CorrelationId == task.CorrelationId).ExecuteDeleteAsync();
    }

    private async Task<IEnumerable<TaskEventType>> StepsAsync(TaskState task) =>
        (await _database.EventsOfAsync(task.CorrelationId)).Select(e => e.Type);

    /// <summary>Sends commands that are committed as one group, and returns them with their results.</summary>
    private async Task<TaskCommand[]> TogetherAsync(params TaskCommand[] commands)
    {
        await Task.WhenAll(await SendTogetherAsync(commands)).WaitAsync(Deadline);
        return commands;
    }

    private async Task<Task[]> SendTogetherAsync(params TaskCommand[] commands)
    {
        await CloseAsync();
        Task[] sends = [.. commands.Select(c => _engine.SendAsync(c))];
        _store.Open();
        return sends;
    }

    /// <summary>
    /// Holds a first group at the gate, with a command that changes nothing: commands sent from now on form the next group.
    /// </summary>
    private async Task CloseAsync()
    {
        _store.Close();
        _ = _engine.SendAsync(new CancelTask(Guid.NewGuid(), T0));
        await Eventually.UntilAsync(() => Task.FromResult(_store.Waiting == 1), Deadline, "a group waits at the gate");
    }

    private sealed class LostDatabaseException : DbException
    {
        public override bool IsTransient => true;
    }
}

/// <summary>Group commit on PostgreSQL.</summary>
public sealed class PostgresGroupCommitTests() : GroupCommitTests(DatabaseProvider.Postgres);

/// <summary>Group commit on SQLite.</summary>
public sealed class SqliteGroupCommitTests() : GroupCommitTests(DatabaseProvider.Sqlite);
