using System.Buffers.Binary;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Shouldly;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Encryption;
using TaskQueue.Engine.Memory;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Search;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Storage.Search;
using TaskQueue.Tests.Servers;
using Xunit;
using static TaskQueue.Tests.Servers.TestTasks;

namespace TaskQueue.Tests.Integration;

/// <summary>Searches, on each database.</summary>
public abstract class SearchTests(StoreFixture fixture) : IAsyncLifetime
{
    private static readonly Guid Batch = Guid.NewGuid();

    private static readonly string[] SomeTags = ["a", "b", "c"];

    private static readonly SearchLimits Patient = new() { MaxTime = TimeSpan.FromMinutes(1) };

    /// <summary>When all tasks have been accepted.</summary>
    private static readonly SetTime Later = new(T0.AddDays(1));

    public sealed class OnPostgres(PostgresStoreFixture fixture) : SearchTests(fixture), IClassFixture<PostgresStoreFixture>;

    public sealed class OnSqlite(SqliteStoreFixture fixture) : SearchTests(fixture), IClassFixture<SqliteStoreFixture>;

    public Task InitializeAsync() => fixture.Database.ClearAsync();

    public Task DisposeAsync() => Task.CompletedTask;

    /// <summary>Each filter, with what a task must have to be found, and something like it that is not.</summary>
    private static readonly Dictionary<string, (TaskSearch Search, Action<TaskState> Wanted, Action<TaskState> Like)> Filters = new()
    {
        ["queue"] = (new() { Queue = "Mail" }, t => t.Queue = "Mail", t => t.Queue = "mail"),
        ["name"] = (new() { Name = "größe" }, t => t.Name = "größe", t => t.Name = "größer"),
        ["tag"] = (new() { Tags = ["a b"] }, t => t.Tags = "x,a b", t => t.Tags = "xa b,a b c"),
        ["tags"] = (new() { Tags = ["a", "😀"] }, t => t.Tags = "😀,b,a", t => t.Tags = "a,b"),
        ["tag%"] = (new() { Tags = ["%"] }, t => t.Tags = "%", t => t.Tags = "a"),
        ["ordering_key"] = (new() { OrderingKey = "k" }, t => (t.OrderingKey, t.Blocked) = ("k", true),
            t => (t.OrderingKey, t.Blocked) = ("K", true)),
        ["worker"] = (new() { Worker = "w1" }, t => End(t, TaskStates.Completed, "w1"), t => End(t, TaskStates.Completed, "w12")),
        ["batch"] = (new() { BatchId = Batch }, t => t.BatchId = Batch, t => t.BatchId = Guid.NewGuid()),
        ["owner"] = (new() { Owner = "ann" }, t => t.Owner = "ann", t => t.Owner = "Ann"),
        ["error"] = (new() { Error = "no_% 😀" }, t => Fail(t, "no_% 😀 luck"), t => Fail(t, "No_% 😀 luck")),
        ["error of a retry"] = (new() { Error = "x" }, t => (t.State, t.Error) = (TaskStates.Retrying, "x"),
            t => (t.State, t.Error) = (TaskStates.Retrying, "y")),
        ["created_from"] = (new() { CreatedFrom = T0.AddHours(1) }, t => At(t, T0.AddHours(1)),
            t => At(t, T0.AddHours(1).AddMicroseconds(-1))),
        ["created_to"] = (new() { CreatedTo = T0.AddHours(-1) }, t => At(t, T0.AddHours(-2)), t => At(t, T0.AddHours(-1))),
        ["finished_from"] = (new() { FinishedFrom = T0.AddHours(1) }, t => Cancel(t, T0.AddHours(1)), t => Cancel(t, T0.AddMinutes(59))),
        ["finished_to"] = (new() { FinishedTo = T0.AddHours(1) }, t => Cancel(t, T0.AddMinutes(59)), t => Cancel(t, T0.AddHours(1))),
        ["pending"] = (new() { States = [TaskStates.Pending] }, _ => { }, t => t.State = TaskStates.Retrying),
        ["scheduled"] = (new() { States = [TaskSearch.Scheduled] }, t => t.DueAt = DateTime.UnixEpoch.AddYears(200),
            t => t.DueAt = DateTime.UnixEpoch),
        ["running"] = (new() { States = [TaskStates.Running] }, t => t.State = TaskStates.Running, t => t.State = TaskStates.Retrying),
        ["retrying"] = (new() { States = [TaskStates.Retrying] }, t => t.State = TaskStates.Retrying, _ => { }),
        ["completed"] = (new() { States = [TaskStates.Completed] }, t => End(t, TaskStates.Completed), t => End(t, TaskStates.Failed)),
        ["failed, expired"] = (new() { States = [TaskStates.Failed, TaskStates.Expired] }, t => End(t, TaskStates.Expired),
            t => End(t, TaskStates.Cancelled)),
    };

    public static TheoryData<string> FilterNames => [.. Filters.Keys];

    [Theory]
    [MemberData(nameof(FilterNames))]
    public async Task A_filter_finds_the_tasks_that_match_it_and_no_others(string name)
    {
        var (search, wanted, like) = Filters[name];
        List<TaskState> found = [.. Enumerable.Range(0, 3).Select(_ => New("q", wanted))];
        List<TaskState> others = [.. Enumerable.Range(0, 3).Select(_ => New("q", like))];
        await InsertAsync([.. found, .. others]);

        var page = await SearchAsync(search);

        page.Tasks.Select(f => f.Task.CorrelationId).ShouldBe(found.Select(t => t.CorrelationId).OrderDescending());
        (page.Next, page.Total).ShouldBe((null, new SearchTotal(3, Exact: true)));
    }

    [Fact]
    public async Task A_found_task_has_everything_but_payload_headers_and_result()
    {
        var task = New("q", t =>
        {
            End(t, TaskStates.Failed, "w");
            (t.Name, t.Tags, t.OrderingKey, t.Owner, t.BatchId, t.Error) = ("n", "a,b", "k", "ann", Batch, "no luck");
            (t.Tier, t.Attempt, t.MaxAttempts, t.Progress, t.StartedAt) = (2, 3, 4, "[1]", T0.AddSeconds(1));
            (t.Payload, t.Headers, t.Result) = ("{\"secret\":1}", "{}", "2");
        });
        await InsertAsync(task);

        var found = (await SearchAsync(new TaskSearch { Id = task.CorrelationId })).Tasks.ShouldHaveSingleItem().Task;

        (found.Payload, found.Headers, found.Result).ShouldBe(("", null, null));
        string[] without = ["Payload", "Headers", "Result", "AttemptsLeft", "DefaultLeaseMs"];
        found.Describe(without).ShouldBe(task.Describe(without));
        (await SearchAsync(new TaskSearch { Id = task.CorrelationId }, payloads: true)).Tasks[0].Task.Payload.ShouldBe(task.Payload);
    }

    [Fact]
    public async Task A_task_is_found_by_its_schedule()
    {
        int id;
        await using (var context = fixture.Database.CreateContext())
        {
            var schedule = new Engine.Schedules.ScheduleRecord
            {
                Queue = "q", Name = $"s{Guid.NewGuid():N}"[..12], Settings = new() { Cron = "* * * * *", TimeZone = "UTC" },
                CreatedAt = T0, UpdatedAt = T0,
            };
            context.Schedules.Add(schedule);
            await context.SaveChangesAsync();
            id = schedule.Id;
            var (ticked, other) = (New("q", t => t.ScheduleId = id), New("q", t => t.ScheduleId = id + 1));
            await InsertAsync(ticked, other);

            var page = await SearchAsync(new TaskSearch { Queue = "q", Schedule = schedule.Name });

            page.Tasks.ShouldHaveSingleItem().ShouldSatisfyAllConditions(
                f => f.Task.CorrelationId.ShouldBe(ticked.CorrelationId), f => f.Schedule.ShouldBe(schedule.Name));
        }

        (await SearchAsync(new TaskSearch { Queue = "q", Schedule = "none" })).Tasks.ShouldBeEmpty();
        await Should.ThrowAsync<InvalidSearchException>(() => SearchAsync(new TaskSearch { Schedule = "s" }));
    }

    [Theory]
    [InlineData(0, 500)]
    [InlineData(50, 7)]
    [InlineData(50, 500)]
    [InlineData(100, 7)]
    public async Task Any_combination_of_filters_finds_what_a_look_at_every_task_finds_newest_first(int percentOfChosenIds, int step)
    {
        var random = new Random(7);
        List<TaskState> tasks = [.. Enumerable.Range(0, 400).Select(n => Any(random, n))];
        foreach (var task in tasks.Where(t => t.BatchId is null && random.Next(100) < percentOfChosenIds))
            Choose(task);
        await InsertAsync([.. tasks]);
        var limits = Patient with { Step = step, FirstStep = Math.Min(step, Patient.FirstStep), Few = step };
        for (var round = 0; round < 150; round++)
        {
            var search = AnySearch(random);
            var expected = tasks.Where(t => Matches(t, search)).OrderByDescending(t => t.ListedAs ?? t.CorrelationId)
                .Select(t => t.CorrelationId).ToList();

            var read = await ReadAllAsync(search, random.Next(1, 60), Access.All, limits);

            read.ShouldBe(expected, $"{search} {string.Join('+', search.States)} {string.Join('+', search.Tags)}");
        }
    }

    [Theory]
    [InlineData(false, 500)]
    [InlineData(true, 500)]
    [InlineData(true, 9)]
    public async Task Pages_repeat_and_omit_nothing_while_tasks_arrive_and_move(bool chosenIds, int step)
    {
        List<TaskState> tasks = [.. Enumerable.Range(0, 100).Select(_ => New("q", t =>
        {
            At(t, T0);
            t.Name = "n";
        }))];
        if (chosenIds)
            tasks.ForEach(Choose);
        await InsertAsync([.. tasks]);
        var limits = Patient with { Step = step, FirstStep = step, Few = step };
        var search = new TaskSearch { Name = "n" };
        var read = new List<Guid>();
        SearchCursor? cursor = null;
        do
        {
            var page = await SearchAsync(search, max: 7, from: cursor, limits: limits);
            read.AddRange(page.Tasks.Select(f => f.Task.CorrelationId));
            cursor = page.Next;
            await InsertAsync(New("q", t =>
            {
                At(t, T0.AddSeconds(read.Count));
                t.Name = "n";
            }));
            await fixture.Engine.Store.ClaimAsync(
                new ClaimRequest([new QueueTier("q", 0)], 3, "w", 1000), T0.AddHours(1));
        }
        while (cursor is not null);

        read.ShouldBe(tasks.OrderByDescending(t => t.ListedAs ?? t.CorrelationId).Select(t => t.CorrelationId));
    }

    [Theory]
    [InlineData(false, 1000)]
    [InlineData(true, 1000)]
    [InlineData(true, 1)]
    public async Task A_caller_finds_only_what_it_may_see(bool chosenIds, int few)
    {
        TaskState Of(string? owner, string queue) => New(queue, t =>
        {
            (t.Owner, t.Tags) = (owner, "t");
            t.OrderingKey = TenantKey.Of(owner, "k");
            if (chosenIds)
                Choose(t);
        });
        var limits = Patient with { Few = few };
        Task<List<Guid>> IdsAsync(TaskSearch search, Access access) => ReadAllAsync(search, 10, access, limits);
        var (hers, his, nobodys, mail) = (Of("ann", "q"), Of("ben", "q"), Of(null, "q"), Of("ben", "mail-1"));
        await InsertAsync(hers, his, nobodys, mail);
        var mailer = new Access { Others = QueuePatterns.Of(["mail*"]), Tenant = "ann", Own = QueuePatterns.All };
        foreach (var search in new TaskSearch[] { new(), new() { Tags = ["t"] }, new() { States = [TaskStates.Pending] },
            new() { OrderingKey = "k" } })
        {
            (await IdsAsync(search, Access.Of("ann"))).ShouldBe([hers.CorrelationId]);
            (await IdsAsync(search, Access.Of("cid"))).ShouldBeEmpty();
            (await IdsAsync(search, Access.Of("ben", "mail*"))).ShouldBe([mail.CorrelationId]);
            (await IdsAsync(search with { Owner = "ben" }, Access.All))
                .ShouldBe([his.CorrelationId, mail.CorrelationId], ignoreOrder: true);
            (await IdsAsync(search with { Owner = "ben" }, Access.Of("ann"))).ShouldBeEmpty();
            (await IdsAsync(search with { Id = his.CorrelationId }, Access.Of("ann"))).ShouldBeEmpty();
        }

        (await IdsAsync(new(), mailer)).ShouldBe([hers.CorrelationId, mail.CorrelationId], ignoreOrder: true);
        (await IdsAsync(new(), Access.All)).Count.ShouldBe(4);
        (await IdsAsync(new() { OrderingKey = "k" }, Access.All)).ShouldBe([nobodys.CorrelationId]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_cursor_shows_no_id_of_a_task_that_the_caller_may_not_see(bool chosenIds)
    {
        // Many of one millisecond, so that pages end within it.
        List<TaskState> tasks = [.. Enumerable.Range(0, 120).Select(n => New(n % 7 == 0 ? "mail-1" : "q", t =>
            (t.Owner, t.CorrelationId) = ("ben", Guid.CreateVersion7(new DateTimeOffset(T0.AddMilliseconds(n / 50))))))];
        if (chosenIds)
            tasks.ForEach(Choose);
        await InsertAsync([.. tasks]);
        var mailer = new Access { Others = QueuePatterns.Of(["mail*"]), Tenant = "ann", Own = QueuePatterns.All };
        var limits = Patient with { MaxExamined = 5, Step = 5, FirstStep = 5, Few = 5 };
        var (read, cursor) = (new List<Guid>(), (SearchCursor?)null);
        do
        {
            var page = await Searches(limits).FindIdsAsync(new TaskSearch(), cursor, 10, mailer, CancellationToken.None);
            read.AddRange(page.Ids);
            cursor = page.Next;
            if (cursor?.Before is { } before)
                tasks.ShouldNotContain(t => (t.ListedAs ?? t.CorrelationId) == before && t.Queue == "q");
        }
        while (cursor is not null);
        read.ShouldBe(
            tasks.Where(t => t.Queue == "mail-1").OrderByDescending(t => t.ListedAs ?? t.CorrelationId).Select(t => t.CorrelationId));
    }

    [Fact]
    public async Task A_deleted_task_is_not_found()
    {
        var (deleted, kept) = (New("q", t => (t.State, t.DeleteAt) = (TaskStates.Failed, T0.AddYears(-10))), New());
        await InsertAsync(deleted, kept);

        (await IdsAsync(new(), Access.All)).ShouldBe([kept.CorrelationId]);
        (await IdsAsync(new() { States = [TaskStates.Failed] }, Access.All)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_page_looks_at_a_bounded_number_of_tasks_and_says_where_to_go_on()
    {
        List<TaskState> tasks = [.. Enumerable.Range(0, 200).Select(n => New("q", t => t.Name = n % 90 == 5 ? "rare" : "often"))];
        await InsertAsync([.. tasks]);
        var limits = Patient with { MaxExamined = 30, Step = 10, FirstStep = 10 };
        var search = new TaskSearch { Name = "rare" };
        var (read, pages, cursor) = (new List<Guid>(), 0, (SearchCursor?)null);
        do
        {
            await using var context = fixture.Database.CreateContext();
            var run = await Searches(limits).RunAsync(context, search, cursor, 10, Access.All, CancellationToken.None);
            run.Examined.ShouldBeLessThanOrEqualTo(30);
            var page = await SearchAsync(search, max: 10, from: cursor, limits: limits);
            page.Total.Exact.ShouldBeFalse();
            read.AddRange(page.Tasks.Select(f => f.Task.CorrelationId));
            (pages, cursor) = (pages + 1, page.Next);
        }
        while (cursor is not null);

        read.ShouldBe(tasks.Where(t => t.Name == "rare").Select(t => t.CorrelationId).OrderDescending());
        pages.ShouldBeInRange(7, 8);
    }

    [Fact]
    public async Task No_step_begins_after_the_time_of_a_page_is_over()
    {
        await InsertAsync([.. Enumerable.Range(0, 50).Select(_ => New())]);

        var page = await SearchAsync(new TaskSearch { Name = "none" }, limits: new SearchLimits { MaxTime = TimeSpan.Zero, Step = 10 });

        page.Tasks.ShouldBeEmpty();
        page.Next.ShouldNotBeNull();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    [InlineData(100)]
    public async Task A_total_is_exact_up_to_a_thousand_and_then_estimated(int percentOfChosenIds)
    {
        List<TaskState> tasks = [.. Enumerable.Range(0, 3000).Select(n => New(n % 3 == 0 ? "a" : "b", t => At(t, T0.AddSeconds(n))))];
        foreach (var (n, task) in tasks.Index().Where(t => t.Index % 100 < percentOfChosenIds))
        {
            Choose(task);
            if (n % 500 == 0)
                task.CorrelationId = new Guid(n, 0, 0, new byte[8]); // as if of long ago
        }

        await InsertAsync([.. tasks]);

        (await SearchAsync(new TaskSearch { Queue = "a" })).Total.ShouldBe(new SearchTotal(1000, Exact: true));
        var estimated = (await SearchAsync(new TaskSearch { Queue = "b" })).Total;
        estimated.Exact.ShouldBeFalse();
        estimated.Count.ShouldBeInRange(1900, 2100);
        var page = await SearchAsync(new TaskSearch { Queue = "b" }, max: 10);
        (await SearchAsync(new TaskSearch { Queue = "b" }, max: 10, from: page.Next)).Total.ShouldBe(page.Total);
    }

    [Fact]
    public async Task The_index_with_the_most_hits_is_walked()
    {
        await InsertAsync([.. Enumerable.Range(0, 300).Select(n => New(n % 100 == 0 ? "few" : "many", t =>
        {
            t.Tags = n < 250 ? "often" : "often,new";
            End(t, n % 2 == 0 ? TaskStates.Failed : TaskStates.Completed);
        }))]);

        (await WayAsync(new TaskSearch { Queue = "few", States = [TaskStates.Failed] })).ShouldBe("ix_tasks_queue");
        (await WayAsync(new TaskSearch { Queue = "many", States = [TaskStates.Failed] })).ShouldBe("ix_outcomes_ended");
        (await WayAsync(new TaskSearch { Tags = ["often", "new"] })).ShouldBe("PK_task_tags");
        (await WayAsync(new TaskSearch())).ShouldBe("PK_tasks");

        async Task<string> WayAsync(TaskSearch search)
        {
            await using var context = fixture.Database.CreateContext();
            var run = await Searches(Patient with { FirstStep = 20 })
                .RunAsync(context, search, null, 10, Access.All, CancellationToken.None);
            return string.Join(' ', run.Way!.Select(w => w.Name));
        }
    }

    private TaskSearches Searches(SearchLimits limits)
    {
        var services = fixture.Engine.Services;
        return new TaskSearches(services.GetRequiredService<IDbContextFactory<TaskDbContext>>(), Options.Create(new MemoryOptions()),
            services.GetRequiredService<DataCipher>(), limits, Later);
    }

    private Task<TaskSearchPage> SearchAsync(
        TaskSearch search, int max = 50, SearchCursor? from = null, Access? access = null, SearchLimits? limits = null,
        bool payloads = false) =>
        Searches(limits ?? Patient).SearchAsync(
            search, new SearchPaging(from, max, payloads), access ?? Access.All, (_, _, _) => default, CancellationToken.None);

    private Task<List<Guid>> IdsAsync(TaskSearch search, Access access) => ReadAllAsync(search, 10, access, Patient);

    private async Task<List<Guid>> ReadAllAsync(TaskSearch search, int max, Access access, SearchLimits limits)
    {
        var read = new List<Guid>();
        SearchCursor? cursor = null;
        do
        {
            var page = await Searches(limits).FindIdsAsync(search, cursor, max, access, CancellationToken.None);
            page.Ids.Count.ShouldBeLessThanOrEqualTo(max);
            read.AddRange(page.Ids);
            cursor = page.Next is { } next ? SearchCursor.Parse(next.ToString()).ShouldNotBeNull() : null;
        }
        while (cursor is not null);
        return read;
    }

    private async Task InsertAsync(params TaskState[] tasks)
    {
        await using var context = fixture.Database.CreateContext();
        await context.InsertAsync(tasks);
    }

    private static TaskState Any(Random random, int n) => New($"q{random.Next(3)}", t =>
    {
        At(t, T0.AddMinutes(n));
        t.State = random.GetItems([.. TaskStates.All], 1)[0];
        t.Name = random.Next(3) == 0 ? null : $"n{random.Next(3)}";
        t.Tags = TaskTags.Join([.. SomeTags.Where(_ => random.Next(3) == 0)]);
        t.Owner = random.Next(2) == 0 ? null : $"o{random.Next(2)}";
        t.OrderingKey = random.Next(4) == 0 ? TenantKey.Of(t.Owner, $"k{n}") : null;
        t.BatchId = random.Next(4) == 0 ? Batch : null;
        t.Blocked = t.OrderingKey is not null;
        if (t.State != TaskStates.Pending)
            t.Worker = $"w{random.Next(3)}";
        if (t.State is TaskStates.Failed or TaskStates.Retrying)
            t.Error = random.Next(2) == 0 ? "timeout after 3 s" : "refused";
        if (TaskStates.IsTerminal(t.State))
            t.FinishedAt = t.CreatedAt.AddMinutes(random.Next(100));
    });

    private static TaskSearch AnySearch(Random random)
    {
        bool Maybe() => random.Next(5) == 0;
        return new TaskSearch
        {
            Queue = random.Next(2) == 0 ? $"q{random.Next(3)}" : null,
            States = Maybe() ? [.. random.GetItems([.. TaskStates.All], random.Next(1, 4)).Distinct()] : [],
            Name = Maybe() ? $"n{random.Next(3)}" : null,
            Tags = Maybe() ? ["a"] : Maybe() ? ["b", "c"] : [],
            Owner = Maybe() ? $"o{random.Next(2)}" : null,
            BatchId = Maybe() ? Batch : null,
            Worker = Maybe() ? $"w{random.Next(3)}" : null,
            Error = Maybe() ? "timeout" : null,
            CreatedFrom = Maybe() ? T0.AddMinutes(random.Next(400)) : null,
            CreatedTo = Maybe() ? T0.AddMinutes(random.Next(400)) : null,
            FinishedFrom = Maybe() ? T0.AddMinutes(random.Next(400)) : null,
            FinishedTo = Maybe() ? T0.AddMinutes(random.Next(400)) : null,
        };
    }

    private static bool Matches(TaskState t, TaskSearch s) =>
        (s.Queue is null || t.Queue == s.Queue) && (s.States.Count == 0 || s.States.Contains(t.State))
        && (s.Name is null || t.Name == s.Name) && s.Tags.All(tag => TaskTags.Split(t.Tags).Contains(tag))
        && (s.Owner is null || t.Owner == s.Owner)
        && (s.BatchId is null || t.BatchId == s.BatchId) && (s.Worker is null || t.Worker == s.Worker)
        && (s.Error is null || t.Error?.StartsWith(s.Error, StringComparison.Ordinal) == true)
        && (s.CreatedFrom is null || t.CreatedAt >= s.CreatedFrom) && (s.CreatedTo is null || t.CreatedAt < s.CreatedTo)
        && (s.FinishedFrom is null || t.FinishedAt >= s.FinishedFrom) && (s.FinishedTo is null || t.FinishedAt < s.FinishedTo);

    /// <summary>Gives a task an id as producers choose them.</summary>
    private static void Choose(TaskState task) => (task.ListedAs, task.CorrelationId) = (task.CorrelationId, Guid.NewGuid());

    /// <summary>Accepts a task at a time, with an id of that time.</summary>
    private static void At(TaskState task, DateTime time)
    {
        var bytes = task.CorrelationId.ToByteArray(bigEndian: true);
        var milliseconds = (long)(time - DateTime.UnixEpoch).TotalMilliseconds;
        BinaryPrimitives.WriteInt64BigEndian(bytes, (milliseconds << 16) + 0x4000 + (bytes[7] % 16));
        (task.CorrelationId, task.CreatedAt) = (new Guid(bytes, bigEndian: true), time);
    }

    private static void End(TaskState task, int state, string? worker = null) =>
        (task.State, task.FinishedAt, task.Worker) = (state, T0.AddSeconds(2), worker);

    private static void Fail(TaskState task, string error)
    {
        End(task, TaskStates.Failed);
        task.Error = error;
    }

    private static void Cancel(TaskState task, DateTime at) => (task.State, task.FinishedAt) = (TaskStates.Cancelled, at);
}
