using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Unit.SqlServer;

/// <summary><see cref="SqlServerTranslation"/> checks the queries of every engine in the tests.</summary>
public sealed class TranslationTests
{
    [Fact]
    public Task SQLite_only_functions_are_refused() =>
        RefusedAsync(DatabaseProvider.Sqlite, "Data Source=nowhere.db", t => EF.Functions.Glob(t.Queue, "a*"));

    [Fact]
    public Task PostgreSQL_only_functions_are_refused() =>
        RefusedAsync(DatabaseProvider.Postgres, "Host=nowhere", t => EF.Functions.ILike(t.Queue, "a%"));

    private static async Task RefusedAsync(DatabaseProvider provider, string connectionString, Expression<Func<TaskState, bool>> condition)
    {
        await using var engine = new TestEngine(new DatabaseAddress(provider, connectionString));
        await using var db = await engine.Services.GetRequiredService<IDbContextFactory<TaskDbContext>>().CreateDbContextAsync();

        db.Tasks.Where(t => t.Queue == "a").ToQueryString().ShouldContain("queue");
        Should.Throw<InvalidOperationException>(() => db.Tasks.Where(condition).ToQueryString())
            .Message.ShouldContain("could not be translated");
    }
}
