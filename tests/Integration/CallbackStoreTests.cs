using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Engine.Callbacks;
using Xunit;
using static TaskQueue.Tests.Servers.TestTasks;

namespace TaskQueue.Tests.Integration;

/// <summary>Callbacks in the database: who takes which, and their outcomes.</summary>
public abstract class CallbackStoreTests(StoreFixture fixture) : IAsyncLifetime
{
    private static readonly DateTime GivenUpAt = T0.AddSeconds(40);
    private static readonly CallbackLimits Limits = new(PerOrigin: 4, PerOwner: 6, Unowned: 1000);

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
    public async Task The_longest_due_callbacks_are_taken_first_with_everything_a_try_needs()
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
    public async Task The_limit_per_receiver_holds_however_many_callbacks_wait()
    {
        await InsertAsync([.. Enumerable.Range(0, 1100).Select(n => ("http://hung:8080/x?n=" + n, -2000 + n)),
            .. Enumerable.Range(0, 6).Select(n => ("https://quick/" + n, -6 + n))]);

        (await TakeAsync(4)).ShouldAllBe(c => c.Url.StartsWith("http://hung:8080/", StringComparison.Ordinal));

        var taken = await TakeAsync(10, "http://hung:8080", "http://hung:8080", "http://hung:8080", "http://hung:8080",
            "https://quick:443");

        taken.Select(c => c.Url).Order().ShouldBe(["https://quick/0", "https://quick/1", "https://quick/2"]);
        (await TakeAsync(10, "http://hung:8080", "http://hung:8080", "http://hung:8080"))
            .Count(c => c.Url.Contains("hung", StringComparison.Ordinal)).ShouldBe(1);
    }

    [Fact]
    public async Task A_taken_callback_is_not_taken_again_until_its_lease_ends()
    {
        await InsertAsync([.. Enumerable.Range(0, 200).Select(n => ($"http://h{n}/", -1))]);

        var taken = (await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => TakeAsync(100))))).SelectMany(t => t).ToList();
        while (await TakeAsync(100) is { Count: > 0 } more)
            taken.AddRange(more);

        taken.Select(c => c.Id).Distinct().Count().ShouldBe(200);
        taken.Count.ShouldBe(200);
        (await Store.TakeAsync(new CallbackClaim(GivenUpAt.AddSeconds(40), 300, Limits, []), GivenUpAt.AddMicroseconds(-1)))
            .ShouldBeEmpty();
        (await Store.TakeAsync(new CallbackClaim(GivenUpAt.AddSeconds(40), 300, Limits, []), GivenUpAt)).Count.ShouldBe(200);
    }

    [Fact]
    public async Task An_abandoned_try_changes_nothing()
    {
        await InsertAsync(("http://a/", -1));
        var first = (await TakeAsync(1)).Single();
        var second = (await Store.TakeAsync(new CallbackClaim(GivenUpAt.AddSeconds(40), 1, Limits, []), GivenUpAt)).Single();

        (first.State, first.FinishedAt, first.Log) = (CallbackState.Failed, GivenUpAt, "[1]");
        await Store.SettleAsync(first);
        var untouched = await OnlyAsync();
        (second.State, second.FinishedAt, second.Log) = (CallbackState.Delivered, GivenUpAt, "[2]");
        await Store.SettleAsync(second);

        (untouched.State, untouched.Log, untouched.FinishedAt, untouched.Attempts).ShouldBe((CallbackState.Waiting, "[]", null, 2));
        var settled = await OnlyAsync();
        (settled.State, settled.Log, settled.FinishedAt).ShouldBe((CallbackState.Delivered, "[2]", GivenUpAt));
        (await Store.TakeAsync(new CallbackClaim(DateTime.MaxValue, 1, Limits, []), T0.AddYears(1))).ShouldBeEmpty();
        (await Store.NextCallbackAsync()).ShouldBeNull();
    }

    [Fact]
    public async Task A_callback_waits_until_its_retry_is_due()
    {
        await InsertAsync(("http://a/", -1));
        var taken = (await TakeAsync(1)).Single();
        (taken.DueAt, taken.Log) = (T0.AddSeconds(2), "[1]");

        await Store.SettleAsync(taken);

        (await Store.NextCallbackAsync()).ShouldBe(T0.AddSeconds(2));
        (await TakeAsync(1)).ShouldBeEmpty();
        var again = (await Store.TakeAsync(new CallbackClaim(GivenUpAt, 1, Limits, []), T0.AddSeconds(2))).Single();
        (again.Attempts, again.Log).ShouldBe((2, "[1]"));
    }

    [Fact]
    public async Task Old_finished_callbacks_are_removed_in_small_batches_and_waiting_ones_are_kept()
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

    [Fact]
    public async Task The_limit_per_owner_holds_however_many_receivers_it_has()
    {
        await InsertAsync("ann", [.. Enumerable.Range(0, 1100).Select(n => ($"http://h{n}/", -2000 + n))]);
        await InsertAsync("ben", [.. Enumerable.Range(0, 8).Select(n => ($"http://h{n}/", -8 + n))]);

        var first = await TakeAsync(100);
        var second = await Store.TakeAsync(new CallbackClaim(GivenUpAt, 100, Limits,
            [.. first.Select(c => new CallbackSlot(c.Owner!, c.Origin!))]), T0);

        var taken = first.Concat(second).ToLookup(c => c.Owner);
        foreach (var owner in new[] { "ann", "ben" })
            taken[owner].Select(c => c.Origin).Order(StringComparer.Ordinal)
                .ShouldBe(Enumerable.Range(0, 6).Select(n => $"http://h{n}:80"));
    }

    [Fact]
    public async Task A_receiver_that_two_owners_share_is_counted_for_each()
    {
        await InsertAsync("ann", [.. Enumerable.Range(0, 10).Select(n => ($"http://shared?{n}", -20 + n))]);
        await InsertAsync("ben", ("http://shared/b", -1));

        (await TakeAsync(100)).Select(c => c.Owner).Order(StringComparer.Ordinal).ShouldBe(["ann", "ann", "ann", "ann", "ben"]);
    }

    [Fact]
    public async Task Skipped_owners_wait_for_the_others()
    {
        await InsertAsync("ann", [.. Enumerable.Range(0, 1100).Select(n => ($"http://h{n}/", -2000 + n))]);
        await InsertAsync("ben", ("http://b/", -1));
        await InsertAsync(("http://nobody/", -1));

        var taken = await Store.TakeAsync(new CallbackClaim(GivenUpAt, 100, Limits, []) { PassedOver = ["ann"] }, T0);

        taken.Select(c => c.Url).Order(StringComparer.Ordinal).ShouldBe(["http://b/", "http://nobody/"]);
    }

    [Fact]
    public async Task Few_slots_are_shared_fairly_among_owners()
    {
        await InsertAsync("ann", [.. Enumerable.Range(0, 20).Select(n => ($"http://h{n}/", -100 + n))]);
        await InsertAsync("ben", [.. Enumerable.Range(0, 20).Select(n => ($"http://h{n}/", -50 + n))]);

        (await TakeAsync(4)).Select(c => c.Owner).Order(StringComparer.Ordinal).ShouldBe(["ann", "ann", "ben", "ben"]);
    }

    [Fact]
    public async Task Callbacks_stored_before_owner_and_receiver_existed_are_taken()
    {
        await using (var db = fixture.Database.CreateContext())
        {
            db.Callbacks.AddRange(Enumerable.Range(0, 6)
                .Select(n => new Callback { SubjectId = Guid.NewGuid(), Url = $"http://h{n}/", Body = "{}", DueAt = T0, CreatedAt = T0 }));
            await db.SaveChangesAsync();
        }

        var taken = await TakeAsync(10);

        taken.Count.ShouldBe(4);
        taken.ShouldAllBe(c => c.Owner == null && c.Origin == null);
    }

    private Task<IReadOnlyList<Callback>> TakeAsync(int max, params string[] busy) =>
        Store.TakeAsync(new CallbackClaim(GivenUpAt, max, Limits, [.. busy.Select(origin => new CallbackSlot("", origin))]), T0);

    private async Task<Callback> OnlyAsync()
    {
        await using var db = fixture.Database.CreateContext();
        return await db.Callbacks.AsNoTracking().SingleAsync();
    }

    /// <summary>Like code that ends batches: callback rows that become due this many seconds after <see cref="T0"/>.</summary>
    private Task<List<Callback>> InsertAsync(params (string Url, int Due)[] callbacks) => InsertAsync(owner: null, callbacks);

    private async Task<List<Callback>> InsertAsync(string? owner, params (string Url, int Due)[] callbacks)
    {
        var rows = callbacks.Select(c => new Callback
        {
            SubjectId = Guid.NewGuid(), Url = c.Url, Body =
                """{"ö": 1}""", DueAt = T0.AddSeconds(c.Due), CreatedAt = T0.AddDays(-1), Owner = owner, Origin = CallbackOrigin.Of(c.Url),
        }).ToList();
        await using var db = fixture.Database.CreateContext();
        db.Callbacks.AddRange(rows);
        await db.SaveChangesAsync();
        return rows;
    }
}
