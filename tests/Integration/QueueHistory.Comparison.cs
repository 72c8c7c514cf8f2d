using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;

namespace TaskQueue.Tests.Integration;

/// <summary>The observable state of the engine, compared with the model.</summary>
internal sealed partial class QueueHistory
{
    /// <param name="queue">Whose lists are read; those of the others are read after other steps.</param>
    private async Task CompareAsync(string queue)
    {
        _model.Now = Micros.Now(time);
        await CompareRowsAsync();
        foreach (var each in Queues)
            (await engine.Queues.StatsAsync(each, Access.All, default)).ShouldBe(_model.Stats(each), $"stats of {each}");
        foreach (var list in Enum.GetValues<TaskList>())
            await CompareListAsync(queue, list);
    }

    private async Task CompareRowsAsync()
    {
        await using var context = database.CreateContext();
        var rows = await context.Tasks.AsNoTracking().ToListAsync();
        rows.Select(t => t.CorrelationId).Order().ShouldBe(_model.Tasks.Keys.Order(), "rows");
        foreach (var row in rows)
            ShouldBeSame(row, _model.Tasks[row.CorrelationId]);

        var events = await context.EventsAsync();
        events.Count.ShouldBe(_model.Outbox.Values.Sum(t => t.Count), "number of events");
        foreach (var written in events.GroupBy(e => e.TaskId))
            written.Select(e => new Step(e.Type, e.Attempt, e.At)).ShouldBe(_model.Outbox[written.Key], $"events of {Short(written.Key)}");

        var attempts = (await context.Attempts.AsNoTracking().OrderBy(a => a.Id).ToListAsync()).ToLookup(a => a.TaskId);
        attempts.Select(a => a.Key).ShouldBeSubsetOf(_model.Tasks.Keys, "attempts are removed with their task");
        foreach (var row in rows)
        {
            AttemptRows.Timeline(row, row.DueAt, attempts[row.CorrelationId]).Select(e => new Step(e.Type, e.Attempt, e.At))
                .ShouldBe(_model.Timelines[row.CorrelationId], $"timeline of {Short(row.CorrelationId)}");
        }

        if (rows.Count > 0 && Pick(rows).CorrelationId is var one)
        {
            (await engine.Queries.TimelineAsync(one, (_, _, _) => default, CancellationToken.None))
                .Select(e => new Step(e.Type, e.Attempt, e.At)).ShouldBe(_model.Timelines[one], $"timeline of {Short(one)}, read by id");
        }
    }

    private async Task CompareListAsync(string queue, TaskList list)
    {
        var expected = _model.List(queue, list).ConvertAll(t => t.CorrelationId);
        var all = (await engine.Queries.ListAsync(queue, list, null, 1000, Access.All, CancellationToken.None)).Tasks;
        all.Select(t => t.CorrelationId).ShouldBe(expected, $"list {list} of {queue}");
        if (all.Count < 2)
            return;

        var (place, back) = (_random.Next(all.Count), Chance(50));
        var page = await engine.Queries.ListAsync(queue, list, TaskCursor.Of(list, all[place]), 2, Access.All,
            CancellationToken.None, back);
        var part = back ? expected[..place].TakeLast(2) : expected[(place + 1)..].Take(2);
        page.Tasks.Select(t => t.CorrelationId).ShouldBe(part, $"page of {list} of {queue}, back: {back}");
    }

    /// <summary>All columns except the omitted ones and the id for lists, which is partly random; a failure shows only those that differ.</summary>
    private static void ShouldBeSame(TaskState? actual, TaskState? expected, params string[] without)
    {
        var (shown, wanted) = (Lines(actual), Lines(expected));
        string.Join("; ", shown.Except(wanted)).ShouldBe(string.Join("; ", wanted.Except(shown)), $"task {expected?.CorrelationId}");

        string[] Lines(TaskState? task) => task?.Describe([.. without, nameof(TaskState.ListedAs)]).Split('\n') ?? ["null"];
    }

    /// <summary>As if the outbox dispatcher had published all events.</summary>
    private async Task PublishAsync()
    {
        await using var context = database.CreateContext();
        var cursors = new long[TaskEvent.Partitions];
        foreach (var e in await context.EventsAsync())
            cursors[e.Partition] = e.Id;
        await engine.Store.SaveOffsetsAsync(cursors);
    }
}
