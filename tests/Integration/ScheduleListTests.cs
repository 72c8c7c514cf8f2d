using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Schedules;
using TaskQueue.Storage.Schedules;
using Xunit;
using static TaskQueue.Tests.Servers.TestTasks;

namespace TaskQueue.Tests.Integration;

/// <summary>The list of the schedules of all queues, on each database.</summary>
public abstract class ScheduleListTests(StoreFixture fixture) : IAsyncLifetime
{
    public sealed class OnPostgres(PostgresStoreFixture fixture) : ScheduleListTests(fixture), IClassFixture<PostgresStoreFixture>;

    public sealed class OnSqlite(SqliteStoreFixture fixture) : ScheduleListTests(fixture), IClassFixture<SqliteStoreFixture>;

    public async Task InitializeAsync()
    {
        await using var context = fixture.Database.CreateContext();
        await context.Schedules.ExecuteDeleteAsync();
    }

    public Task DisposeAsync() => Task.CompletedTask;

    [Fact]
    public async Task A_page_looks_at_a_bounded_number_of_schedules_of_others_and_says_where_to_go_on()
    {
        await InsertAsync([.. Enumerable.Range(0, SchedulePage.MaxExamined + 10).Select(n => Of($"a{n:0000}", "ben")), Of("b", "ann")]);
        var first = await ListAsync(Access.Of("ann"), null, 10);
        first.Schedules.ShouldBeEmpty();
        first.Next.ShouldBe(("q", $"a{SchedulePage.MaxExamined - 1:0000}"));

        var second = await ListAsync(Access.Of("ann"), first.Next, 10);
        second.Schedules.ShouldHaveSingleItem().Name.ShouldBe("b");
        second.Next.ShouldBeNull();
    }

    [Fact]
    public async Task A_page_ends_at_a_number_of_bytes_and_memory_is_reserved_for_it()
    {
        const int Size = 3 * 1024 * 1024;
        await InsertAsync([Of("a", "ann", Size), Of("b", "ann", Size), Of("c", "ann")]);
        var reserved = new List<long>();
        var first = await ListAsync(Access.Of("ann"), null, 10, reserved);
        first.Schedules.Select(s => s.Name).ShouldBe(["a"]);
        var second = await ListAsync(Access.Of("ann"), first.Next, 10, reserved);
        second.Schedules.Select(s => s.Name).ShouldBe(["b", "c"]);
        second.Next.ShouldBeNull();
        reserved.ShouldBe([Size, Size]);

        (await ListAsync(Access.All, null, 1)).Next.ShouldBe(("q", "a"));
    }

    private async Task<FoundSchedules> ListAsync(
        Access access, (string Queue, string Name)? after, int max, List<long>? reserved = null) =>
        await fixture.Engine.Services.GetRequiredService<IScheduleStore>().ListAllAsync(access, after, max, (bytes, _, _) =>
        {
            reserved?.Add(bytes);
            return default;
        }, CancellationToken.None);

    private async Task InsertAsync(params ScheduleRecord[] schedules)
    {
        await using var context = fixture.Database.CreateContext();
        context.Schedules.AddRange(schedules);
        await context.SaveChangesAsync();
    }

    private static ScheduleRecord Of(string name, string owner, int payload = 0) => new()
    {
        Queue = "q", Name = name, CreatedAt = T0, UpdatedAt = T0,
        Settings = new ScheduleSettings { Cron = "* * * * *", TimeZone = "UTC", Owner = owner, Payload = new string('x', payload) },
    };
}
