using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Engine.Tasks;
using TaskQueue.Tests.Servers;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>What must hold after every crash.</summary>
internal static class CrashChecks
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Every task that was accepted, or committed without an answer, is completed exactly once; none waits, runs or failed.
    /// </summary>
    public static async Task AllCompletedOnceAsync(this CrashCluster cluster, CrashProducer producer)
    {
        await cluster.ExplainedAsync(async () =>
        {
            await Eventually.UntilAsync(() => NothingIsLeftAsync(cluster.Database, producer.Since), Deadline, "every task is completed");
            producer.Hangs.ShouldBe(0);
            await using var db = cluster.Database.CreateContext();
            var rows = await db.Tasks.AsNoTracking().Where(t => t.CreatedAt >= producer.Since).Select(t => t.CorrelationId).ToListAsync();
            producer.Accepted.Except(rows).ShouldBeEmpty();
            var completions = (await db.EventsAsync()).Where(e => e.Type == TaskEventType.Completed && e.At >= producer.Since)
                .CountBy(e => e.TaskId).ToList();
            completions.Select(c => c.Key).ShouldBe(rows, ignoreOrder: true);
            completions.ShouldAllBe(c => c.Value == 1);
            if (cluster.RabbitMq is not null)
                (await cluster.QueueDepthsAsync()).Where(q => q.Name.EndsWith("_error", StringComparison.Ordinal)).ShouldBeEmpty();
        });
    }

    /// <summary>A subscriber received every accepted task at least once: submitted, started, completed, in this order.</summary>
    public static Task AllAnnouncedAsync(this CrashCluster cluster, CrashProducer producer, CrashSubscriber subscriber) =>
        cluster.ExplainedAsync(async () =>
        {
            await Eventually.UntilAsync(
                () => Task.FromResult(producer.Accepted.All(id => subscriber.Seen(id).Contains("completed"))), Deadline,
                "the last completion is announced");
            string[] inOrder = ["submitted", "started", "completed"];
            var wrong = producer.Accepted.Select(subscriber.Seen).Where(seen => !seen.Intersect(inOrder).SequenceEqual(inOrder));
            wrong.Select(seen => string.Join(", ", seen)).ShouldBeEmpty();
        });

    /// <summary>Adds the output of the processes to any failure.</summary>
    public static async Task ExplainedAsync(this CrashCluster cluster, Func<Task> act)
    {
        try
        {
            await act();
        }
        catch (Exception fault)
        {
            throw new InvalidOperationException($"{fault.Message}\n{await CountsAsync(cluster)}\n{cluster.Log}", fault);
        }
    }

    private static async Task<string> CountsAsync(CrashCluster cluster)
    {
        try
        {
            await using var db = cluster.Database.CreateContext();
            var states = await db.Tasks.GroupBy(t => t.State).Select(g => new { g.Key, Count = g.Count() }).ToListAsync();
            var depths = cluster.RabbitMq is null ? [] : await cluster.QueueDepthsAsync();
            return string.Join(", ", states.Select(s => $"{s.Count} {TaskStates.Word(s.Key)}")
                .Concat(depths.Select(q => $"{q.Messages} in {q.Name}")));
        }
        catch (Exception fault) when (fault is DbException or InvalidOperationException or HttpRequestException)
        {
            return $"cannot look: {fault.Message}";
        }
    }

    private static async Task<bool> NothingIsLeftAsync(TestDatabase database, DateTime since)
    {
        await using var db = database.CreateContext();
        return !await db.Tasks.AnyAsync(t => t.State != TaskStates.Completed && t.CreatedAt >= since);
    }
}
