using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Storage.Tasks;
using TaskQueue.Tests.Servers;
using Xunit;
using static TaskQueue.Tests.Servers.TestTasks;

namespace TaskQueue.Tests.Integration;

/// <summary>Reads page by page of tasks that ended in the same microsecond.</summary>
public abstract class PagesTests(StoreFixture fixture) : IAsyncLifetime
{
    public sealed class OnPostgres(PostgresStoreFixture fixture) : PagesTests(fixture), IClassFixture<PostgresStoreFixture>;

    public sealed class OnSqlite(SqliteStoreFixture fixture) : PagesTests(fixture), IClassFixture<SqliteStoreFixture>;

    public Task InitializeAsync() => fixture.Database.ClearAsync();

    public Task DisposeAsync() => Task.CompletedTask;

    [Fact]
    public async Task Every_result_of_a_batch_is_read_once_in_the_order_of_its_items()
    {
        var batch = Guid.NewGuid();
        List<TaskState> tasks = [.. Enumerable.Range(0, 2100).Select(n => Ended(t => (t.BatchId, t.Result) = (batch, $"{n}")))];
        await using (var context = fixture.Database.CreateContext())
            await context.InsertAsync(tasks);

        var read = new List<(Guid Id, string? Result)>();
        var store = fixture.Engine.Services.GetRequiredService<IBatchStore>();
        await foreach (var item in store.EndedAsync(batch, null, CancellationToken.None))
            read.Add((item.Id, item.Result));

        read.ShouldBe(tasks.OrderBy(t => t.CorrelationId).Select(t => (t.CorrelationId, t.Result)));
    }

    [Fact]
    public async Task Large_results_of_a_batch_are_read_in_small_pages_for_which_memory_is_reserved()
    {
        const int large = 700_000;
        var batch = Guid.NewGuid();
        List<TaskState> tasks = [.. Enumerable.Range(0, 40).Select(n =>
            Ended(t => (t.BatchId, t.Result) = (batch, n % 4 == 0 ? $"\"{new string('x', large)}\"" : $"{n}")))];
        await using (var context = fixture.Database.CreateContext())
            await context.InsertAsync(tasks);

        var (read, reserved) = (new List<(Guid Id, string? Result)>(), 0L);
        var store = fixture.Engine.Services.GetRequiredService<IBatchStore>();
        await foreach (var item in store.EndedAsync(batch, Reserve, CancellationToken.None))
            read.Add((item.Id, item.Result));

        read.ShouldBe(tasks.OrderBy(t => t.CorrelationId).Select(t => (t.CorrelationId, t.Result)));
        reserved.ShouldBeInRange(large, 1024 * 1024, "two large results are no page");

        ValueTask Reserve(long bytes, int count, CancellationToken cancellationToken)
        {
            reserved += bytes;
            return ValueTask.CompletedTask;
        }
    }

    [Fact]
    public async Task Items_of_a_batch_that_wait_are_passed_over()
    {
        var batch = Guid.NewGuid();
        List<TaskState> tasks = [.. Enumerable.Range(0, 20).Select(n =>
            n % 2 == 0 ? New(change: t => t.BatchId = batch) : Ended(t => t.BatchId = batch))];
        await using (var context = fixture.Database.CreateContext())
            await context.InsertAsync(tasks);

        var read = new List<Guid>();
        var store = fixture.Engine.Services.GetRequiredService<IBatchStore>();
        await foreach (var item in store.EndedAsync(batch, null, CancellationToken.None))
            read.Add(item.Id);

        read.ShouldBe(tasks.Where((_, n) => n % 2 == 1).Select(t => t.CorrelationId).Order());
    }

    [Fact]
    public async Task The_invalid_items_of_a_batch_are_read_once_in_their_order()
    {
        var batch = Guid.NewGuid();
        await using (var context = fixture.Database.CreateContext())
        {
            context.BatchBadLines.AddRange(Enumerable.Range(0, 2000).Select(n =>
                new InvalidBatchItem { BatchId = batch, Line = n, Code = "c", Message = "m" }));
            await context.SaveChangesAsync();
        }

        var lines = new List<int>();
        await foreach (var line in fixture.Engine.Services.GetRequiredService<IBatchStore>().BadAsync(batch, CancellationToken.None))
            lines.Add(line.Line);

        lines.ShouldBe(Enumerable.Range(0, 2000));
    }

    [Fact]
    public async Task Every_dead_letter_is_on_one_page_forwards_and_backwards()
    {
        List<TaskState> tasks = [.. Enumerable.Range(0, 10).Select(_ => Ended(t => (t.State, t.Dead) = (TaskStates.Failed, true)))];
        await using (var context = fixture.Database.CreateContext())
            await context.InsertAsync(tasks);
        var order = tasks.Select(t => t.CorrelationId).Order().ToList();

        (await ReadAsync(back: false)).ShouldBe(order);
        (await ReadAsync(back: true)).ShouldBe(Enumerable.Reverse(order));
        var from = (TaskCursor?)null;
        var dead = new List<Guid>();
        while (await fixture.Engine.Queries.DeadAsync("q", from, 3, CancellationToken.None) is { Count: > 0 } page)
        {
            dead.AddRange(page.Select(c => c.Id));
            from = page[^1];
        }

        dead.ShouldBe(order);
    }

    [Fact]
    public async Task The_timeline_of_a_task_that_was_snoozed_many_times_has_the_newest_of_them()
    {
        const int count = TaskQueries.MostAttempts + 5;
        var task = New();
        await using (var context = fixture.Database.CreateContext())
        {
            await context.InsertAsync(task);
            context.Attempts.AddRange(Enumerable.Range(1, count).Select(n => new AttemptRow
            {
                TaskId = task.CorrelationId, Attempt = n, End = TaskEventType.Snoozed, EndedAt = T0.AddSeconds(n),
            }));
            await context.SaveChangesAsync();
        }

        var timeline = await fixture.Engine.Queries.TimelineAsync(task.CorrelationId, (_, _, _) => default, CancellationToken.None);

        timeline[0].Type.ShouldBe(TaskEventType.Submitted);
        timeline.Skip(1).Select(e => e.Attempt).ShouldBe(Enumerable.Range(6, TaskQueries.MostAttempts));
    }

    private async Task<List<Guid>> ReadAsync(bool back)
    {
        var from = (TaskCursor?)null;
        var ids = new List<Guid>();
        TaskPage page;
        do
        {
            page = await fixture.Engine.Queries.ListAsync("q", TaskList.Dead, from, max: 3, Access.All, CancellationToken.None, back);
            ids.AddRange(back ? page.Tasks.Select(t => t.CorrelationId).Reverse() : page.Tasks.Select(t => t.CorrelationId));
            from = back ? page.First : page.Last;
        }
        while (page.HasMore);

        return ids;
    }

    private static TaskState Ended(Action<TaskState> change) => New(change: t =>
    {
        (t.State, t.Attempt, t.Worker, t.StartedAt, t.FinishedAt) = (TaskStates.Completed, 1, "w", T0, T0.AddSeconds(1));
        change(t);
    });
}
