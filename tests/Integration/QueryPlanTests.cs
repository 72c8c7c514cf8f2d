using System.Text;
using System.Text.RegularExpressions;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Npgsql;
using Shouldly;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Encryption;
using TaskQueue.Engine.Failures;
using TaskQueue.Engine.Memory;
using TaskQueue.Engine.Schedules;
using TaskQueue.Engine.Search;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Storage.Failures;
using TaskQueue.Storage.Postgres;
using TaskQueue.Storage.Schedules;
using TaskQueue.Storage.Search;
using TaskQueue.Storage.Tasks;
using TaskQueue.Tests.Integration.Plans;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>How PostgreSQL runs the hot statements: none reads a whole table, so none slows down as finished tasks accumulate.</summary>
public sealed partial class QueryPlanTests(PostgresStoreFixture fixture) : IClassFixture<PostgresStoreFixture>
{
    [Fact]
    public async Task No_hot_statement_reads_a_whole_table_by_a_custom_or_a_generic_plan()
    {
        var database = fixture.Database.ConnectionString;
        await PlanRows.InsertAsync(database);
        var custom = await RunAsync(database, "force_custom_plan");
        var generic = await RunAsync(database, "force_generic_plan");

        foreach (var plans in new[] { custom, generic })
        {
            KnownStatement.All.ShouldAllBe(s => plans[s].Any());
            plans.Where(p => p.Key.Name != "Backlog").SelectMany(p => p).Where(p => WholeTable().IsMatch(p.Plan + "\n"))
                .Select(p => $"{p.Sql}\n{p.Plan}").ShouldBeEmpty();
            plans.Where(p => p.Key.Name == "Backlog").SelectMany(p => p).ShouldAllBe(p => ReadsWaitingAlone(p.Plan));
            plans.Where(p => p.Key.Name == "List: listed").SelectMany(p => p)
                .ShouldAllBe(p => p.Plan.Contains("ix_tasks_owner_listed", StringComparison.Ordinal));
            plans.Where(p => p.Key.Name == "List: owner").SelectMany(p => p)
                .ShouldAllBe(p => p.Plan.Contains("ix_tasks_owner", StringComparison.Ordinal));
            plans.Where(p => p.Key.Name == "List: state").SelectMany(p => p)
                .ShouldAllBe(p => p.Plan.Contains("ix_outcomes_owner", StringComparison.Ordinal));
            plans.Where(p => p.Key.Name is "Claim" or "Combined claim" or "Limited claim" or "Next due").SelectMany(p => p)
                .ShouldAllBe(p => p.Plan.Contains("Index Scan using ix_ready_claim on ready r", StringComparison.Ordinal));
        }

        if (Repository.WritesDocs)
            await File.WriteAllTextAsync(Repository.FileAt("docs", "query-plans.md"), Document(generic));
    }

    /// <summary>
    /// Statistics may be of a time when the tables were empty: a join with a list of values must then not read a table for each of them.
    /// </summary>
    [Fact]
    public async Task No_statement_of_the_store_reads_a_whole_table_by_statistics_of_empty_tables()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        await PlanRows.InsertAsync(database.ConnectionString, analyzed: false);

        foreach (var mode in new[] { "force_generic_plan", "force_custom_plan" })
        {
            var plans = await RunAsync(database.ConnectionString, mode);
            plans.Where(p => p.Key.Name != "Backlog" && !p.Key.Name.StartsWith("List: ", StringComparison.Ordinal)).SelectMany(p => p)
                .Where(p => WholeTable().IsMatch(p.Plan + "\n")).Select(p => $"{mode}\n{p.Sql}\n{p.Plan}").ShouldBeEmpty();
        }
    }

    private async Task<ILookup<KnownStatement, RanStatement>> RunAsync(string connectionString, string planCacheMode)
    {
        using var queries = new PlanWatch(connectionString, PostgresProvider.SessionOptions, planCacheMode);
        using var watch = new PlanWatch(connectionString, PostgresProvider.StoreOptions, planCacheMode);
        var (contexts, now) = (new Contexts(queries.Source), Micros.Now(TimeProvider.System));
        var memory = Options.Create(new MemoryOptions());
        var searches = new TaskSearches(
            contexts, memory, fixture.Engine.Services.GetRequiredService<DataCipher>(), new SearchLimits(), TimeProvider.System);
        await ListAsync(new TaskQueries(contexts, searches, memory, TimeProvider.System));
        await CountFailuresAsync(new FailureStore(contexts, TimeProvider.System), now);
        var schedules = new ScheduleStore(contexts);
        await schedules.NextAsync([]);
        var due = (await schedules.ListDueAsync(now, []))[0].Schedule;
        var tick = new ScheduleTick(due.Id, due.NextAt!.Value, now.AddDays(1));
        await new PlannedWork<PostgresTaskStore>(new PostgresTaskStore(watch.Source, TimeProvider.System), now, tick).RunAsync();

        return queries.Statements.Concat(watch.Statements).Where(s => !TypeLoading().IsMatch(s.Sql))
            .Select(s => (Known: KnownStatement.Of(s), Ran: s)).Where(s => s.Known is not null).ToLookup(s => s.Known!, s => s.Ran);
    }

    /// <summary>It counts, so it reads waiting and running tasks from end to end, and no others.</summary>
    private static bool ReadsWaitingAlone(string plan) =>
        !plan.Contains(" on tasks", StringComparison.Ordinal) && !plan.Contains(" on outcomes", StringComparison.Ordinal);

    /// <summary>The first page of each list, and the next; and those of one owner.</summary>
    private static async Task ListAsync(TaskQueries queries)
    {
        foreach (var state in new int?[] { null, TaskStates.Completed, TaskStates.Failed })
            await queries.NewestAsync(state, max: 10, Access.Of("o1"), CancellationToken.None);
        foreach (var list in Enum.GetValues<TaskList>())
        {
            var page = await queries.ListAsync("q0", list, from: null, max: 10, Access.All, CancellationToken.None);
            await queries.ListAsync("q0", list, page.Last, max: 10, Access.All, CancellationToken.None);
        }
    }

    /// <summary>New groups each time: there are none of another queue yet.</summary>
    private static Task CountFailuresAsync(FailureStore failures, DateTime now)
    {
        var counts = new FailureCounts();
        for (var n = 0; n < 20; n++)
        {
            var sample = new FailureSample { TaskId = Guid.NewGuid(), Attempt = 1, At = now, Error = "broken" };
            counts.Add(new Failure("o1", $"q{Guid.NewGuid():N}", "work", FailureKind.Error, "E", sample) { Worker = new("w1", "key") });
        }

        return failures.AddAsync(counts.Take(), new FailureOptions(), CancellationToken.None);
    }

    private static string Document(ILookup<KnownStatement, RanStatement> plans)
    {
        var text = new StringBuilder(
            """
            # Query plans

            How PostgreSQL runs the hot statements (`src/Storage.Postgres`) and the lists of tasks on 200,000 finished and
            """
            + " 20,000 waiting tasks of\n"
            + "1,000 queues, 2,000 running ones, and two events for each; and 200,000 callbacks, 2,000 of which wait."
            + " These are generic plans, by which a connection runs a statement\n"
            + """
            that it has prepared; `$1` and so on are parameters. A test (`tests/Integration/QueryPlanTests.cs`) runs the statements with
            generic and with custom plans, and fails where one reads the whole of a large table.
            """
            + " It does not compare the text\n"
            + """
            below, which moves with the statistics; run with `TASKQUEUE_WRITE_DOCS=1` it writes this file.

            """);
        foreach (var statement in KnownStatement.All)
            text.Append($"\n## {statement.Name}\n\n{statement.Purpose}\n\n```\n{plans[statement].First().Plan}\n```\n");
        return text.ToString();
    }

    private sealed class Contexts(NpgsqlDataSource source) : IDbContextFactory<TaskDbContext>
    {
        public TaskDbContext CreateDbContext() =>
            new PostgresTaskDbContext(new DbContextOptionsBuilder<PostgresTaskDbContext>().UseNpgsql(source).Options);
    }

    private const string Tables = "tasks|ready|outcomes|outbox(?!_partitions)|attempts|callbacks|dedupe_keys|ordering_keys";

    /// <summary>
    /// A scan of a growing table, or of an index from end to end; the indexes of sweeps contain only waiting rows.
    /// </summary>
    [GeneratedRegex(
        "Seq Scan on (" + Tables + ")\\b|using (?!ix_ready_(dispatch|expiry) |ix_callbacks_due )\\S*(PK|ix)_(" + Tables
            + ")\\S* on [^\n]*\n(?! *Index Cond)",
        RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex WholeTable();

    /// <summary>What Npgsql queries about a server's types, once per data source.</summary>
    [GeneratedRegex("\\bpg_(type|enum|class|attribute)\\b", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex TypeLoading();
}
