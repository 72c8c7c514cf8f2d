using Npgsql;
using Shouldly;
using TaskQueue.Api.Hosting;
using TaskQueue.Engine;
using TaskQueue.Storage;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>A start while the database is slow, as during a rollout.</summary>
public sealed class SlowStartTests
{
    private static readonly DatabaseAddress Database = new(DatabaseProvider.Postgres, "Host=db;Database=tasks");

    private int _tries;

    public static TheoryData<Exception> Slow =>
        [new NpgsqlException("slow", new TimeoutException()), new PostgresException("idle in transaction", "FATAL", "FATAL", "25P03")];

    [Theory]
    [MemberData(nameof(Slow), DisableDiscoveryEnumeration = true)]
    public async Task A_slow_database_is_tried_again(Exception fault)
    {
        (await StartupChecks.ReachAsync(Database, () => Failing(fault, times: 3))).ShouldBe(4);
    }

    [Fact]
    public async Task A_database_that_never_answers_and_one_that_refuses_end_the_start()
    {
        (await Should.ThrowAsync<StartupException>(
            StartupChecks.ReachAsync(Database, () => Failing(new TimeoutException("The operation has timed out"), int.MaxValue))))
            .Message.ShouldContain("The operation has timed out (check ConnectionStrings:TaskQueue)");
        _tries.ShouldBe(4);

        await Should.ThrowAsync<StartupException>(
            StartupChecks.ReachAsync(Database, () => Failing(new NpgsqlException("no route"), int.MaxValue)));
        _tries.ShouldBe(5, "it was not tried again");
    }

    private Task<int> Failing(Exception fault, int times) =>
        ++_tries <= times ? Task.FromException<int>(fault) : Task.FromResult(_tries);
}
