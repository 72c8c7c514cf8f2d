using System.Text.RegularExpressions;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using Shouldly;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Why;
using TaskQueue.Storage;
using TaskQueue.Storage.Postgres;
using TaskQueue.Storage.Why;
using TaskQueue.Tests.Integration.Plans;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>How PostgreSQL reads why tasks wait among many tasks.</summary>
public sealed partial class WhyPlanTests
{
    [Fact]
    public async Task A_task_is_looked_up_by_two_statements_that_read_no_table_of_tasks_as_a_whole()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        await PlanRows.InsertAsync(database.ConnectionString);
        List<Guid> ids;
        await using (var db = database.CreateContext())
            ids = await db.Ready.Where(t => t.Queue == "q3" || t.Queue == "q4").Select(t => t.CorrelationId).ToListAsync();
        foreach (var mode in new[] { "force_generic_plan", "force_custom_plan" })
        {
            using var watch = new PlanWatch(database.ConnectionString, PostgresProvider.SessionOptions, mode);
            var (queries, now) = (new WhyQueries(new Contexts(watch.Source)), TimeProvider.System.GetUtcNow().UtcDateTime);
            foreach (var id in ids)
            {
                var task = (await queries.FindAsync(id, Access.All, now, default)).ShouldNotBeNull();
                (await queries.ReadAsync(task, now, default)).ShouldNotBeNull().Ahead.ShouldBeLessThan(WaitingFacts.MostCounted);
            }

            Read(watch).Count.ShouldBe(2 * ids.Count);
            Read(watch).Where(s => WholeTable().IsMatch(s.Plan)).Select(s => $"{s.Sql}\n{s.Plan}").ShouldBeEmpty();
            await queries.RunningAsync("q3", Access.All, default);
            Read(watch)[^1].Plan.ShouldContain("ix_running_limited");
        }
    }

    /// <summary>What was read, without what the driver needs.</summary>
    private static List<RanStatement> Read(PlanWatch watch) =>
        [.. watch.Statements.Where(s => s.Sql.StartsWith("SELECT", StringComparison.Ordinal) && !TypeLoading().IsMatch(s.Sql))];

    [GeneratedRegex("Seq Scan on (tasks|ready|running|outcomes)\\b", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex WholeTable();

    [GeneratedRegex("\\bpg_(type|enum|class|attribute)\\b", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex TypeLoading();

    private sealed class Contexts(NpgsqlDataSource source) : IDbContextFactory<TaskDbContext>
    {
        public TaskDbContext CreateDbContext() =>
            new PostgresTaskDbContext(new DbContextOptionsBuilder<PostgresTaskDbContext>().UseNpgsql(source).Options);
    }
}
