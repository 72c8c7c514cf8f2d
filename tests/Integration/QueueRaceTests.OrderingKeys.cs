using System.Collections.Concurrent;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

public abstract partial class QueueRaceTests
{
    private static readonly RetryPolicy AtOnce = new() { Intervals = [0, 0] };

    [Fact]
    public async Task Tasks_of_an_ordering_key_run_one_at_a_time_and_drain_whatever_happens_to_them()
    {
        var ids = new ConcurrentBag<Guid>();
        var producing = ManyAsync(240, i => ProduceAsync(i, ids), atOnce: 4);
        var meddling = ManyAsync(120, i => MeddleAsync(i, ids, producing), atOnce: 3);
        var deadline = Now + Deadline;
        while (!(producing.IsCompleted && meddling.IsCompleted)
            || await CountAsync(t => t.State == TaskStates.Pending || t.State == TaskStates.Retrying || t.State == TaskStates.Running) > 0)
        {
            await ManyAsync(4, i => WorkAsync(i), atOnce: 4);
            if (Now > deadline)
                (await BlockedKeysAsync()).ShouldBeEmpty("keys that stand still");
            Now.ShouldBeLessThan(deadline, "the keys drain");
        }

        await Task.WhenAll(producing, meddling);
    }

    [Fact]
    public async Task Tasks_of_an_ordering_key_run_earliest_first_in_any_order_of_arrival()
    {
        await ManyAsync(60, i => Any().Tasks.SubmitAsync(New() with { OrderingKey = $"t{i % 3}" }));

        var seen = new List<TaskState>();
        while (await ClaimAsync(10) is { Count: > 0 } claimed)
        {
            claimed.Select(t => t.OrderingKey).ShouldBeUnique();
            seen.AddRange(claimed);
            await ManyAsync(claimed.Count, i => CompleteAsync(claimed[i]));
        }

        seen.Count.ShouldBe(60);
        foreach (var orderingKey in seen.GroupBy(t => t.OrderingKey))
            orderingKey.Select(t => (t.DueAt, t.CreatedAt, t.CorrelationId)).ShouldBeInOrder();
    }

    [Fact]
    public async Task A_purge_leaves_no_ordering_key_blocked_and_keeps_later_tasks()
    {
        await _engines[0].Queues.CreateAsync("q", Delivery.Pull, new QueueSettings());
        for (var round = 0; round < 40; round++)
        {
            var orderingKey = $"t{round}";
            await ManyAsync(4, _ => Any().Tasks.SubmitAsync(New() with { OrderingKey = orderingKey }), atOnce: 4);
            var adding = ManyAsync(6, _ => Any().Tasks.SubmitAsync(New() with { OrderingKey = orderingKey }), atOnce: 4);
            var claiming = ManyAsync(2, _ => ClaimAsync(2), atOnce: 2);
            (await Any().Queues.PurgeAsync("q")).ShouldBeTrue();
            var kept = (await Any().Tasks.SubmitAsync(New() with { OrderingKey = orderingKey })).Id;
            await Task.WhenAll(adding, claiming);

            (await BlockedKeysAsync()).ShouldBeEmpty($"round {round}");
            (await CountAsync(t => t.CorrelationId == kept && t.State != TaskStates.Cancelled)).ShouldBe(1);
            var stats = await Any().Queues.StatsAsync("q", Access.All, default);
            ((int)stats.Waiting).ShouldBe(await CountAsync(t => t.State == TaskStates.Pending));
            ((int)stats.Running).ShouldBe(await CountAsync(t => t.State == TaskStates.Running));
            foreach (var task in await RunningAsync())
                await CompleteAsync(task);
        }
    }

    [Fact]
    public async Task An_ordering_key_progresses_while_tasks_end_and_others_arrive()
    {
        for (var round = 0; round < 60; round++)
        {
            var orderingKey = $"t{round}";
            var ids = Enumerable.Range(0, 8).Select(_ => TaskId.New(TimeProvider.System)).ToList();
            await ManyAsync(4, i => Any().Tasks.SubmitAsync(New() with { Id = ids[i], OrderingKey = orderingKey }), atOnce: 4);
            var ending = ManyAsync(4, i => Any().Tasks.CancelAsync(ids[i], Access.All), atOnce: 4);
            var adding = ManyAsync(4, i => Any().Tasks.SubmitAsync(New() with { Id = ids[4 + i], OrderingKey = orderingKey }), atOnce: 4);
            await Task.WhenAll(ending, adding);

            (await BlockedKeysAsync()).ShouldBeEmpty($"round {round}");
        }
    }

    private async Task<bool> ProduceAsync(int i, ConcurrentBag<Guid> ids)
    {
        var task = New() with { OrderingKey = $"t{i % 4}", ScheduledAt = Now.AddMilliseconds((i * 37 % 100) - 80), Retry = AtOnce,
            DedupeKey = i % 5 == 0 ? "k" : null };
        ids.Add((await Any().Tasks.SubmitAsync(task)).Id);
        return true;
    }

    /// <summary>Cancels, deletes and restarts tasks in any state.</summary>
    private async Task<bool> MeddleAsync(int i, ConcurrentBag<Guid> ids, Task producing)
    {
        await Eventually.UntilAsync(() => Task.FromResult(producing.IsCompleted || ids.Count > i * 2), Deadline, "tasks are there");
        var engine = Any();
        var id = ids.ElementAt(i * 13 % ids.Count);
        await engine.SendAsync((i % 4) switch
        {
            0 => new CancelTask(id, Now),
            1 => engine.Tasks.Delete(id),
            _ => engine.Tasks.Retry(id, null, null),
        });
        return true;
    }

    private async Task<bool> WorkAsync(int worker)
    {
        foreach (var task in await ClaimAsync(3))
        {
            (await RunningAsync()).CountBy(t => t.OrderingKey!).ShouldAllBe(orderingKey => orderingKey.Value == 1);
            await ((task.Attempt + worker) % 3 == 0 ? FailAsync(task, retryable: worker % 2 == 0) : CompleteAsync(task));
        }

        return true;
    }

    private async Task<List<TaskState>> RunningAsync()
    {
        await using var context = _database.CreateContext();
        return await context.Tasks.AsNoTracking().Where(t => t.State == TaskStates.Running).ToListAsync();
    }

    /// <summary>Ordering keys with waiting tasks and no head.</summary>
    private async Task<List<string>> BlockedKeysAsync()
    {
        await using var context = _database.CreateContext();
        var live = await context.Tasks.AsNoTracking()
            .Where(t => t.OrderingKey != null
                && (t.State == TaskStates.Pending || t.State == TaskStates.Retrying || t.State == TaskStates.Running)).ToListAsync();
        return [.. live.GroupBy(t => t.OrderingKey!).Where(g => g.All(t => t.Blocked)).Select(g => g.Key)];
    }
}
