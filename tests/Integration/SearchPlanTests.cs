using System.Text.RegularExpressions;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Npgsql;
using Shouldly;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Encryption;
using TaskQueue.Engine.Memory;
using TaskQueue.Engine.Search;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Storage.Postgres;
using TaskQueue.Storage.Search;
using TaskQueue.Tests.Integration.Plans;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>How PostgreSQL runs the statements of searches among many tasks.</summary>
public sealed partial class SearchPlanTests(PostgresStoreFixture fixture) : IClassFixture<PostgresStoreFixture>
{
    private static readonly TaskSearch[] Searches =
    [
        new(), new() { Queue = "q1" }, new() { Queue = "none" }, new() { Name = "work" }, new() { Name = "none" }, new() { Tags = ["t5"] },
        new() { Tags = ["t5", "none"] }, new() { OrderingKey = "t0" }, new() { Worker = "w" }, new() { BatchId = Guid.NewGuid() },
        new() { Owner = "o1" }, new() { Error = "x" }, new() { Queue = "q1", States = [TaskStates.Completed] },
        new() { Queue = "none", States = [TaskStates.Failed, TaskStates.Retrying] }, new() { States = [TaskSearch.Scheduled] },
        new() { CreatedFrom = DateTime.UnixEpoch, FinishedTo = DateTime.UnixEpoch.AddYears(100) },
        .. TaskStates.All.Select(state => new TaskSearch { States = [state] }),
        .. TaskStates.All.Select(state => new TaskSearch { States = [state], Owner = "o1" }),
    ];

    /// <summary>The newest third, of one owner, is not where its own ids are.</summary>
    private const string List =
        """
        update tasks set owner = 'o2', listed_as = (lpad(to_hex((extract(epoch from created_at) * 1000)::bigint), 12, '0')
            || '4' || substr(md5(id::text), 1, 3) || '8' || substr(md5(id::text), 4, 15))::uuid
        where created_at > now() - interval '20 hours';
        analyze tasks;
        """;

    [Theory]
    [InlineData("force_generic_plan", false)]
    [InlineData("force_custom_plan", false)]
    [InlineData("force_generic_plan", true)]
    [InlineData("force_custom_plan", true)]
    public async Task No_search_reads_or_sorts_more_rows_than_it_looks_at(string mode, bool chosenIds)
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        await PlanRows.InsertAsync(database.ConnectionString);
        if (chosenIds)
        {
            await using var context = database.CreateContext();
            await context.Database.ExecuteSqlRawAsync(List);
        }

        using var watch = new PlanWatch(database.ConnectionString, PostgresProvider.SessionOptions, mode);
        var searches = new TaskSearches(
            new Contexts(watch.Source), Options.Create(new MemoryOptions()), fixture.Engine.Services.GetRequiredService<DataCipher>(),
            new SearchLimits { MaxTime = TimeSpan.FromMinutes(1) }, TimeProvider.System);
        foreach (var search in Searches)
        {
            foreach (var access in new[] { Access.All, Access.Of("o1"), Access.Of("o2") })
            {
                var page = await searches.SearchAsync(search, new SearchPaging(null, 10), access, (_, _, _) => default, default);
                if (page.Next is { } next)
                    await searches.SearchAsync(search, new SearchPaging(next, 10), access, (_, _, _) => default, default);
            }
        }

        List<RanStatement> statements = [.. watch.Statements.Where(s => !TypeLoading().IsMatch(s.Sql))];
        statements.Count.ShouldBeGreaterThan(100);
        statements.Where(s => WholeTable().IsMatch(s.Plan)).Select(Shown).ShouldBeEmpty();
        statements.Where(s => s.Sql.Contains("ORDER BY", StringComparison.Ordinal) && s.Plan.Contains("Sort", StringComparison.Ordinal))
            .Select(Shown).ShouldBeEmpty();
        statements.Where(s => s.Sql.Contains("= ANY", StringComparison.Ordinal) && Unbounded().IsMatch(s.Plan + "\n")).Select(Shown)
            .ShouldBeEmpty("a check reads only the tasks of its list");
    }

    private static string Shown(RanStatement statement) => $"{statement.Sql}\n{statement.Plan}";

    private const string Tables = "tasks|outcomes|task_tags|attempts";

    [GeneratedRegex("Seq Scan on (" + Tables + ")\\b", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex WholeTable();

    [GeneratedRegex("Scan[^\n]* using \\S+ on (" + Tables + ")\\b[^\n]*\n(?! *Index Cond)", RegexOptions.ExplicitCapture,
        matchTimeoutMilliseconds: 1000)]
    private static partial Regex Unbounded();

    [GeneratedRegex("\\bpg_(type|enum|class|attribute)\\b", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex TypeLoading();

    private sealed class Contexts(NpgsqlDataSource source) : IDbContextFactory<TaskDbContext>
    {
        public TaskDbContext CreateDbContext() =>
            new PostgresTaskDbContext(new DbContextOptionsBuilder<PostgresTaskDbContext>().UseNpgsql(source).Options);
    }
}
