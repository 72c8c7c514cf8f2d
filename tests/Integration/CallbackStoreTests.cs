using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Engine.Callbacks;
using Xunit;
using static TaskQueue.Tests.Servers.TestTasks;

namespace TaskQueue.Tests.Integration;

/// <summary>Callbacks in the database: who takes which, and what becomes of them.</summary>
public abstract class CallbackStoreTests(StoreFixture fixture) : IAsyncLifetime
{
    private static readonly DateTime GivenUpAt = T0.AddSeconds(40);

    public sealed class OnPostgres(PostgresStoreFixture fixture) : CallbackStoreTests(fixture), IClassFixture<PostgresStoreFixture>;

    public sealed class OnSqlite(SqliteStoreFixture fixture) : CallbackStoreTests(fixture), IClassFixture<SqliteStoreFixture>;

    private ICallbackStore Store => fixture.Engine.Services.GetRequiredService<ICallbackStore>();

    public async Task InitializeAsync()
    {
        await using var db = fixture.Database.CreateContext();
        await db.Callbacks.ExecuteDeleteAsync();
    }

    public Task DisposeAsync() => Task.CompletedTask;

    [Fact]
    public async Task Those_due_longest_are_taken_first_with_all_that_a_try_needs()
    {
        var rows = await InsertAsync(("http://b/2", -1), ("http://a/1", -2), ("http://c/later", 1), ("http://c/3", 0));

        var taken = await TakeAsync(2);
        var rest = await TakeAsync(10);

        taken.Select(c => c.Url).Order().ShouldBe(["http://a/1", "http://b/2"]);
        rest.ShouldHaveSingleItem().Url.ShouldBe("http://c/3");
        var (one, row) = (taken.Single(c => c.Url == "http://a/1"), rows[1]);
        (one.Id, one.SubjectId, one.Body, one.Log, one.CreatedAt).ShouldBe((row.Id, row.SubjectId, row.Body, row.Log, row.CreatedAt));
        (one.Attempts, one.DueAt).ShouldBe((1, GivenUpAt));
        (await Store.NextCallbackAsync()).ShouldBe(T0.AddSeconds(1));
    }

    [Fact]
    public async Task Of_one_host_no_more_are_taken_than_fit_however_many_wait_before_the_others()
    {
        await InsertAsync([.. Enumerable.Range(0, 1100).Select(n => ("http://hung:8080/x?n=" + n, -2000 + n)), .. Enumerable.Range(0, 6).Select(n => ("https://quick/" + n, -6 + n))]);

        (await TakeAsync(4)).ShouldAllBe(c => c.Url.StartsWith("http://hung:8080/", StringComparison.Ordinal));

        var taken = await TakeAsync(10, "hung:8080", "hung:8080", "hung:8080", "hung:8080", "quick");

        taken.Select(c => c.Url).Order().ShouldBe(["https://quick/0", "https://quick/1", "https://quick/2"]);
        (await TakeAsync(10, "hung:8080", "hung:8080", "hung:8080")).Count(c => c.Url.Contains("hung", StringComparison.Ordinal)).ShouldBe(1);
    }

    [Fact]
    public async Task Nobody_takes_what_another_has_until_it_is_given_up()
    {
        await InsertAsync([.. Enumerable.Range(0, 200).Select(n => ($"http://h{n}/", -1))]);

        var taken = (await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => TakeAsync(100))))).SelectMany(t => t).ToList();
        while (await TakeAsync(100) is { Count: > 0 } more)
            taken.AddRange(more);

        taken.Select(c => c.Id).Distinct().Count().ShouldBe(200);
        taken.Count.ShouldBe(200);
        (await Store.TakeAsync(new CallbackClaim(GivenUpAt.AddSeconds(40), 300, 4, []), GivenUpAt.AddMicroseconds(-1))).ShouldBeEmpty();
        (await Store.TakeAsync(new CallbackClaim(GivenUpAt.AddSeconds(40), 300, 4, []), GivenUpAt)).Count.ShouldBe(200);
    }

    [Fact]
    public async Task A_try_that_was_given_up_changes_nothing_any_more()
    {
        await InsertAsync(("http://a/", -1));
        var first = (await TakeAsync(1)).Single();
        var second = (await Store.TakeAsync(new CallbackClaim(GivenUpAt.AddSeconds(40), 1, 4, []), GivenUpAt)).Single();

        (first.State, first.FinishedAt, first.Log) = (CallbackState.Failed, GivenUpAt, "[1]");
        await Store.SettleAsync(first);
        var untouched = await OnlyAsync();
        (second.State, second.FinishedAt, second.Log) = (CallbackState.Delivered, GivenUpAt, "[2]");
        await Store.SettleAsync(second);

        (untouched.State, untouched.Log, untouched.FinishedAt, untouched.Attempts).ShouldBe((CallbackState.Waiting, "[]", null, 2));
        var settled = await OnlyAsync();
        (settled.State, settled.Log, settled.FinishedAt).ShouldBe((CallbackState.Delivered, "[2]", GivenUpAt));
        (await Store.TakeAsync(new CallbackClaim(DateTime.MaxValue, 1, 4, []), T0.AddYears(1))).ShouldBeEmpty();
        (await Store.NextCallbackAsync()).ShouldBeNull();
    }

    [Fact]
    public async Task A_callback_waits_until_it_shall_be_tried_again()
    {
        await InsertAsync(("http://a/", -1));
        var taken = (await TakeAsync(1)).Single();
        (taken.DueAt, taken.Log) = (T0.AddSeconds(2), "[1]");

        await Store.SettleAsync(taken);

        (await Store.NextCallbackAsync()).ShouldBe(T0.AddSeconds(2));
        (await TakeAsync(1)).ShouldBeEmpty();
        var again = (await Store.TakeAsync(new CallbackClaim(GivenUpAt, 1, 4, []), T0.AddSeconds(2))).Single();
        (again.Attempts, again.Log).ShouldBe((2, "[1]"));
    }

    [Fact]
    public async Task Those_that_ended_long_ago_are_removed_a_few_at_once_and_those_that_wait_are_kept()
    {
        await InsertAsync([.. Enumerable.Range(0, 6).Select(n => ($"http://{n}/", -1000))]);
        foreach (var callback in (await TakeAsync(5)).Index())
        {
            (callback.Item.State, callback.Item.FinishedAt) = (CallbackState.Failed, T0.AddDays(callback.Index));
            await Store.SettleAsync(callback.Item);
        }

        (await Store.RemoveSettledAsync(T0.AddDays(3), 2)).ShouldBe(2);
        (await Store.RemoveSettledAsync(T0.AddDays(3), 2)).ShouldBe(1);
        (await Store.RemoveSettledAsync(T0.AddDays(3), 2)).ShouldBe(0);

        await using var db = fixture.Database.CreateContext();
        (await db.Callbacks.CountAsync()).ShouldBe(3);
    }

    private Task<IReadOnlyList<Callback>> TakeAsync(int max, params string[] busy) => Store.TakeAsync(new CallbackClaim(GivenUpAt, max, 4, busy), T0);

    private async Task<Callback> OnlyAsync()
    {
        await using var db = fixture.Database.CreateContext();
        return await db.Callbacks.AsNoTracking().SingleAsync();
    }

    /// <summary>As whatever ends batches does it: rows of callbacks that fall due so many seconds after <see cref="T0"/>.</summary>
    private async Task<List<Callback>> InsertAsync(params (string Url, int Due)[] callbacks)
    {
        var rows = callbacks.Select(c => new Callback { SubjectId = Guid.NewGuid(), Url = c.Url, Body = """{"ö": 1}""", DueAt = T0.AddSeconds(c.Due), CreatedAt = T0.AddDays(-1) }).ToList();
        await using var db = fixture.Database.CreateContext();
        db.Callbacks.AddRange(rows);
        await db.SaveChangesAsync();
        return rows;
    }
}
