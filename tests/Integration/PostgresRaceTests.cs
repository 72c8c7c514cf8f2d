using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>Statements that wait for a transaction of another process, and then find something else than when they began.</summary>
public sealed class PostgresRaceTests : IAsyncLifetime
{
    private TestDatabase _database = null!;
    private TestEngine _engine = null!;

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        _engine = new TestEngine(_database.Address);
        await _engine.Queues.CreateAsync("q", Delivery.Pull, new QueueSettings());
    }

    public async Task DisposeAsync()
    {
        await _engine.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task A_duplicate_that_moves_a_task_keeps_the_payload_that_another_one_wrote_just_before()
    {
        var id = (await _engine.Tasks.SubmitAsync(New(OverwriteFields.None))).Id;
        await using var other = await OpenTransaction.BeginAsync(_database);
        await other.ExecuteAsync("select 1 from ready where id = $1 for update", id);
        await other.ExecuteAsync("update tasks set payload = '\"newer\"' where id = $1", id);

        var later = TimeProvider.System.GetUtcNow().UtcDateTime.AddHours(1);
        var submit = _engine.Tasks.SubmitAsync(New(OverwriteFields.ScheduledAt) with { ScheduledAt = later });
        await other.UntilItBlocksAsync(submit);
        await other.CommitAsync();

        (await submit).Result.ShouldBe(SubmitStatus.Overwritten);
        var task = await _database.GetAsync(id);
        task.Payload.ShouldBe("\"newer\"");
        task.DueAt.ShouldBe(later, TimeSpan.FromMilliseconds(1));
    }

    [Fact]
    public async Task A_duplicate_that_changes_nothing_waits_for_nobody()
    {
        var id = (await _engine.Tasks.SubmitAsync(New(OverwriteFields.None))).Id;
        await using var other = await OpenTransaction.BeginAsync(_database);
        await other.ExecuteAsync("select 1 from ready where id = $1 for update", id);

        (await _engine.Tasks.SubmitAsync(New(OverwriteFields.None))).ShouldSatisfyAllConditions(
            r => r.Id.ShouldBe(id), r => r.Result.ShouldBe(SubmitStatus.Skipped));
    }

    [Fact]
    public async Task A_purge_cancels_a_task_that_is_claimed_while_it_waits()
    {
        var id = (await _engine.Tasks.SubmitAsync(New(OverwriteFields.None))).Id;
        await using var claim = await OpenTransaction.BeginAsync(_database);
        await claim.ExecuteAsync(
            $"""
            insert into running ({TaskColumn.List(TaskColumn.Running)})
            select {string.Join(", ", TaskColumn.Running.Select(c => c.Name switch
            {
                "lease_until" => "now() + interval '1 hour'",
                "limited" => "false",
                _ => c.Name,
            }))} from ready where id = $1
            """, id);
        await claim.ExecuteAsync("delete from ready where id = $1", id);

        var purge = _engine.Queues.PurgeAsync("q");
        await claim.UntilItBlocksAsync(purge);
        await claim.CommitAsync();
        (await purge).ShouldBeTrue();

        (await _database.GetAsync(id)).State.ShouldBe(TaskStates.Cancelled);
    }

    private static TaskSubmission New(OverwriteFields overwrite) =>
        new(TaskId.New(TimeProvider.System), "q", "\"old\"") { DedupeKey = "k", Overwrite = overwrite };
}
