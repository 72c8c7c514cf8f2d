using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>The store on SQLite.</summary>
public sealed class SqliteTaskStoreTests(SqliteStoreFixture fixture) : TaskStoreConformance(fixture), IClassFixture<SqliteStoreFixture>
{
    private readonly SqliteStoreFixture _fixture = fixture;

    [Fact]
    public async Task The_only_process_runs_the_outbox_dispatcher()
    {
        await using var lease = await _fixture.Engine.Store.TryLeadAsync();

        lease.ShouldNotBeNull().Lost.IsCompleted.ShouldBeFalse();
    }
}
