using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine;
using TaskQueue.Engine.Clocks;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Tasks;
using TaskQueue.Scheduler.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>Two nodes on one PostgreSQL, and the clock of one of them is wrong by ten minutes.</summary>
public abstract class SkewedNodeTests(int minutes) : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private TestDatabase _database = null!;
    private TestEngine _right = null!, _wrong = null!;

    public async Task InitializeAsync()
    {
        var machine = new SteppedTime();
        machine.Step(TimeSpan.FromMinutes(minutes));
        _database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        (_right, _wrong) = (new TestEngine(_database.Address), new TestEngine(_database.Address, time: machine));
        foreach (var node in new[] { _right, _wrong })
            await node.Services.GetRequiredService<DatabaseWatch>().MeasureAsync(CancellationToken.None);
    }

    public async Task DisposeAsync()
    {
        await _right.DisposeAsync();
        await _wrong.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task The_nodes_agree_on_the_time_and_the_wrong_one_knows_that_it_is()
    {
        foreach (var node in new[] { _right, _wrong })
        {
            for (var i = 0; i < 5; i++) // a quick answer corrects what a slow one has left
                await Get<DatabaseWatch>(node).MeasureAsync(CancellationToken.None);
        }

        TimeOf(_wrong).GetUtcNow().ShouldBe(TimeOf(_right).GetUtcNow(), TimeSpan.FromSeconds(1));
        Get<DatabaseWatch>(_wrong).Difference.ShouldBe(
            $"the clock of this machine is 600 s {(minutes > 0 ? "ahead of" : "behind")} the database's, which counts");
        Get<DatabaseWatch>(_right).Difference.ShouldBeNull();
    }

    [Fact]
    public async Task A_scheduled_task_starts_on_time()
    {
        var later = await SubmitAsync(_right, "q", due: TimeSpan.FromMinutes(5));
        var soon = await SubmitAsync(_right, "q", due: TimeSpan.FromSeconds(1));

        (await ClaimAsync(_wrong, "q", 10)).ShouldBeEmpty();

        var (claimed, at) = (new List<TaskState>(), DateTime.MinValue);
        await Eventually.UntilAsync(async () =>
        {
            claimed.AddRange(await ClaimAsync(_wrong, "q", 10));
            at = Micros.Now(TimeOf(_right));
            return claimed.Count > 0;
        }, Patience, "the task is due");
        claimed.ShouldHaveSingleItem().CorrelationId.ShouldBe(soon);
        at.ShouldBeGreaterThanOrEqualTo(claimed[0].DueAt.AddMilliseconds(-50));
        (await _database.GetAsync(later)).State.ShouldBe(TaskStates.Pending);
    }

    [Fact]
    public async Task The_lease_of_another_node_ends_on_time()
    {
        foreach (var (holder, sweeper) in new[] { (_right, _wrong), (_wrong, _right) })
        {
            var (held, left) = (await SubmitAsync(holder, "held"), await SubmitAsync(holder, "left"));
            (await ClaimAsync(holder, "held", leaseMs: 60_000)).ShouldHaveSingleItem();
            (await ClaimAsync(holder, "left", leaseMs: 1000)).ShouldHaveSingleItem();
            using var sweep = new LeaseSweep(sweeper.Store, sweeper.Tasks, Get<TaskQuarantine>(sweeper), Get<DatabaseWatch>(sweeper),
                Get<PollingServices>(sweeper));

            await sweep.StartAsync(CancellationToken.None);
            await Eventually.UntilAsync(async () => (await _database.GetAsync(left)).State == TaskStates.Retrying, Patience,
                "the lease that nobody renews expires");
            await sweep.StopAsync(CancellationToken.None);

            (await _database.GetAsync(held)).State.ShouldBe(TaskStates.Running);
            await _right.Tasks.ApplyAsync([_right.Tasks.Delete(left), _right.Tasks.Delete(held)]);
        }
    }

    [Fact]
    public async Task A_task_expires_on_time()
    {
        var (late, soon) = (await SubmitAsync(_wrong, "q", expires: TimeSpan.FromMinutes(5)),
            await SubmitAsync(_wrong, "q", expires: TimeSpan.FromSeconds(1)));
        using var sweep = new ExpirySweep(_wrong.Store, _wrong.Tasks, Get<TaskQuarantine>(_wrong), Get<PollingServices>(_wrong));

        await sweep.StartAsync(CancellationToken.None);
        await Eventually.UntilAsync(async () => (await _database.GetAsync(soon)).State == TaskStates.Expired, Patience, "it expires");
        await sweep.StopAsync(CancellationToken.None);

        (await _database.GetAsync(late)).State.ShouldBe(TaskStates.Pending);
    }

    [Fact]
    public async Task Tasks_are_claimed_in_the_order_of_their_submission()
    {
        var ids = new List<Guid>();
        for (var i = 0; i < 6; i++)
            ids.Add(await SubmitAsync(i % 2 == 0 ? _right : _wrong, "q"));

        for (var i = 0; i < 6; i++)
            (await ClaimAsync(i % 3 == 0 ? _wrong : _right, "q")).ShouldHaveSingleItem().CorrelationId.ShouldBe(ids[i]);
    }

    private static TimeProvider TimeOf(TestEngine node) => Get<TimeProvider>(node);

    private static T Get<T>(TestEngine node)
        where T : notnull => node.Services.GetRequiredService<T>();

    private static Task<IReadOnlyList<TaskState>> ClaimAsync(TestEngine node, string queue, int max = 1, int leaseMs = 15_000) =>
        node.Claims.ClaimAsync(new ClaimRequest([new(queue, 0)], max, "w", leaseMs), TimeSpan.Zero, CancellationToken.None);

    private async Task<Guid> SubmitAsync(TestEngine node, string queue, TimeSpan? due = null, TimeSpan? expires = null)
    {
        var now = Micros.Now(TimeOf(_right));
        var task = new TaskSubmission(TaskId.New(TimeProvider.System), queue, "{}")
        {
            ScheduledAt = due is { } wait ? now + wait : null, ExpiresAt = expires is { } life ? now + life : null,
        };
        (await node.Tasks.SubmitAsync(task)).Result.ShouldBe(SubmitStatus.Accepted);
        return task.Id;
    }
}

public sealed class NodeAheadTests() : SkewedNodeTests(10);

public sealed class NodeBehindTests() : SkewedNodeTests(-10);
