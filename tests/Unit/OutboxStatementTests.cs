using System.Data;
using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.SqlServer.TransactSql.ScriptDom;
using Shouldly;
using TaskQueue.Client;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>The statements of the outbox can be written in the SQL of providers for which the tests have no server.</summary>
public sealed class OutboxStatementTests
{
    [Fact]
    public async Task Every_statement_translates_to_SQL_Server_and_parses()
    {
        var statements = await RunAllAsync(o => o.UseSqlServer("Server=localhost"));

        statements.Count.ShouldBe(14);
        foreach (var statement in statements)
        {
            using var text = new StringReader(statement);
            new TSql150Parser(initialQuotedIdentifiers: true).Parse(text, out var errors);
            errors.Select(e => $"{e.Line}:{e.Column} {e.Message}\n{statement}").ShouldBeEmpty();
        }
    }

    [Fact]
    public async Task A_lease_is_one_update_of_rows_that_nobody_else_has()
    {
        var statements = await RunAllAsync(o => o.UseNpgsql("Host=localhost"));

        var lease = statements.First(s => s.StartsWith("UPDATE", StringComparison.Ordinal));
        lease.ShouldContain("set_aside_at IS NULL");
        lease.ShouldContain("locked_until IS NULL");
        statements.ShouldAllBe(s => !s.Contains("FOR UPDATE", StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>Runs all statements against a database that is not there.</summary>
    private static async Task<List<string>> RunAllAsync(Action<DbContextOptionsBuilder> use)
    {
        var commands = new Commands();
        await using var services = new ServiceCollection()
            .AddDbContext<StatementDb>(o =>
            {
                use(o);
                o.AddInterceptors(commands, new NoConnection());
            })
            .BuildServiceProvider();
        await using var scope = services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<StatementDb>();
        var store = new OutboxStore("me", new OutboxOptions(), TimeProvider.System);
        List<long> rows = [1, 2, 3];

        await store.ClaimAsync(db, max: 10, CancellationToken.None); // three
        await OutboxStore.DeleteAsync(db, rows);
        await store.ReleaseAsync(db, rows, error: null);
        await store.ReleaseAsync(db, rows, "away");
        await store.ReleaseAllAsync(db);
        await store.DeferAsync(db, rows, "away", TimeSpan.FromSeconds(1));
        await store.SetAsideAsync(db, rows, "bad");
        var admin = new OutboxAdmin<StatementDb>(services.GetRequiredService<IServiceScopeFactory>(), new Signal(), TimeProvider.System);
        await admin.GetStatisticsAsync(); // three
        await admin.ListSetAsideAsync();
        await admin.RetryAsync([Guid.NewGuid()]);
        return commands.Texts;
    }

    private sealed class StatementDb(DbContextOptions<StatementDb> options) : DbContext(options)
    {
        protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.AddTaskQueueOutbox();
    }

    private sealed class NoConnection : DbConnectionInterceptor
    {
        public override ValueTask<InterceptionResult> ConnectionOpeningAsync(
            DbConnection connection, ConnectionEventData eventData, InterceptionResult result,
            CancellationToken cancellationToken = default) => ValueTask.FromResult(InterceptionResult.Suppress());
    }

    /// <summary>Remembers commands, and answers with one row.</summary>
    private sealed class Commands : DbCommandInterceptor
    {
        public List<string> Texts { get; } = [];

        public override ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(
            DbCommand command, CommandEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
        {
            Texts.Add(command.CommandText);
            return ValueTask.FromResult(InterceptionResult<int>.SuppressWithResult(1));
        }

        public override ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
            DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result,
            CancellationToken cancellationToken = default)
        {
            Texts.Add(command.CommandText);
            return ValueTask.FromResult(InterceptionResult<DbDataReader>.SuppressWithResult(Answer(command.CommandText)));
        }

        private static DataTableReader Answer(string query)
        {
            using var rows = new DataTable();
            if (query.Contains("count(", StringComparison.OrdinalIgnoreCase))
            {
                rows.Columns.Add("n", typeof(int));
                rows.Rows.Add(1);
            }
            else if (query.Contains("submission", StringComparison.Ordinal))
            {
                rows.Columns.Add("sequence", typeof(long)); // and none of them
            }
            else if (query.Contains("size", StringComparison.Ordinal))
            {
                rows.Columns.Add("sequence", typeof(long));
                rows.Columns.Add("size", typeof(int));
                rows.Rows.Add(1L, 1);
            }
            else
            {
                rows.Columns.Add("created_at", typeof(DateTime));
                rows.Rows.Add(DateTime.UnixEpoch);
            }

            return rows.CreateDataReader();
        }
    }
}
