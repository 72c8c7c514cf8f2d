using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Engine.Logs;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;
using static TaskQueue.Tests.Servers.TestTasks;

namespace TaskQueue.Tests.Integration;

/// <summary>Logs of tasks, on each database.</summary>
public sealed class TaskLogStoreTests
{
    public static TheoryData<DatabaseProvider> Providers => TestDatabase.Providers;

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Lines_are_numbered_per_task_and_the_oldest_are_dropped(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var (one, other) = (New(), New());
        await engine.Store.GivenAsync(database, [one, other]);

        await AppendAsync(engine, Chunk(one, 1, 2), Chunk(other, 1, 1), Chunk(one, 2, 3), Chunk(New(), 1, 1));

        (await ReadAsync(engine, one)).Select(e => (e.Number, e.Attempt, e.Line.Message)).ShouldBe(
            [(1, 1, "1"), (2, 1, "2"), (3, 2, "1"), (4, 2, "2"), (5, 2, "3")]);
        (await ReadAsync(engine, other)).ShouldHaveSingleItem().Line.At.ShouldBe(T0);
        (await engine.Logs.ReadAsync(one.CorrelationId, 1, 2, default)).Select(e => e.Number).ShouldBe([2, 3]);

        await AppendAsync(engine, [.. Enumerable.Range(0, 12).Select(_ => Chunk(one, 3, 100))]);
        var kept = await ReadAsync(engine, one);
        kept.Count.ShouldBe(TaskLogRules.MaxLines);
        (kept[0].Number, kept[^1].Number).ShouldBe((206, 1205));
        (await ReadAsync(engine, other)).Count.ShouldBe(1);
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task The_oldest_lines_of_many_tasks_are_dropped_by_their_number_or_by_their_bytes(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var tasks = Enumerable.Range(0, 6).Select(_ => New()).ToList();
        await engine.Store.GivenAsync(database, tasks);
        var large = new TaskLogLine(T0, TaskLogLevel.Info, new string('x', TaskLogRules.MaxBytes / 4));

        for (var round = 0; round < 12; round++)
        {
            await AppendAsync(engine, [.. tasks.Select((task, i) => i % 3 == 0 ? Chunk(task, 1, 100)
                : i % 3 == 1 ? new TaskLogChunk(task.CorrelationId, 1, [large])
                : Chunk(task, 1, 1))]);
        }

        for (var i = 0; i < tasks.Count; i++)
        {
            (await ReadAsync(engine, tasks[i])).Select(e => e.Number)
                .ShouldBe((i % 3 == 0 ? Enumerable.Range(201, 1000) : i % 3 == 1 ? Enumerable.Range(9, 4) : Enumerable.Range(1, 12))
                    .Select(n => (long)n));
        }
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Several_processes_append_to_one_task(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var task = New();
        await engine.Store.GivenAsync(database, task);

        await Task.WhenAll(Enumerable.Range(1, 3).Select(i => engine.Logs.AppendAsync([Chunk(task, i, 10)], default)));

        (await ReadAsync(engine, task)).Select(e => e.Number).ShouldBe(Enumerable.Range(1, 30).Select(n => (long)n));
    }

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task Lines_go_with_their_task_and_those_without_one_are_removed(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address);
        var ended = New(change: t => (t.State, t.FinishedAt, t.DeleteAt) = (TaskStates.Completed, T0, T0));
        var kept = New();
        await engine.Store.GivenAsync(database, [ended, kept]);
        await AppendAsync(engine, Chunk(ended, 1, 2), Chunk(kept, 1, 2));

        await using (var published = database.CreateContext())
            await published.Outbox.ExecuteDeleteAsync();

        await engine.QueueStore.RemoveDeletedAsync(T0.AddMinutes(5), 100);

        (await ReadAsync(engine, ended)).ShouldBeEmpty();
        (await ReadAsync(engine, kept)).Count.ShouldBe(2);
        await using (var db = database.CreateContext())
        {
            for (var i = 0; i < 3; i++)
                db.TaskLogs.Add(new TaskLogRow { TaskId = Guid.NewGuid(), Number = 1, Count = 1, Lines = "[]" });
            await db.SaveChangesAsync();
        }

        var removed = 0;
        for (Guid? after = Guid.Empty; after is { } id;)
        {
            (var some, after) = await engine.Logs.RemoveOrphansAsync(id, 2, default);
            removed += some;
        }

        removed.ShouldBe(3);
        (await ReadAsync(engine, kept)).Count.ShouldBe(2);
    }

    private static TaskLogChunk Chunk(TaskState task, int attempt, int lines) =>
        new(task.CorrelationId, attempt, [.. Enumerable.Range(1, lines).Select(i => new TaskLogLine(T0, TaskLogLevel.Info, $"{i}"))]);

    private static Task AppendAsync(TestEngine engine, params TaskLogChunk[] chunks) => engine.Logs.AppendAsync(chunks, default);

    private static Task<IReadOnlyList<TaskLogEntry>> ReadAsync(TestEngine engine, TaskState task) =>
        engine.Logs.ReadAsync(task.CorrelationId, 0, 5000, default);
}
