using System.Reflection;
using System.Text;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.SqlServer.TransactSql.ScriptDom;
using Shouldly;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Storage.SqlServer;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Unit.SqlServer;

/// <summary>
/// What can be checked without a server: that SQL Server's own parser reads the statements,
/// and that their parameters are the ones they use.
/// </summary>
public sealed class StatementTests
{
    public static TheoryData<string> Names() => [.. Statements().Select(s => s.Key)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_statement_parses_as_SQL_Server_2019(string name)
    {
        using var text = new StringReader(Statements()[name].Text);
        var script = new TSql150Parser(initialQuotedIdentifiers: true).Parse(text, out var errors);

        errors.Select(e => $"{e.Line}:{e.Column} {e.Message}").ShouldBeEmpty();
        script.ShouldNotBeNull();
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_statement_uses_its_parameters_and_no_others(string name)
    {
        var statement = Statements()[name];
        var variables = new Variables();
        Parse(statement.Text).Accept(variables);

        variables.Used.Except(variables.Declared, StringComparer.Ordinal).Order(StringComparer.Ordinal)
            .ShouldBe(statement.Parameters.Select(p => p.Name).Order(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_statement_uses_existing_tables_and_columns(string name)
    {
        var names = new StatementNames(Parse(Statements()[name].Text), Columns());

        names.Missing.ShouldBeEmpty();
        names.DefinedTwice.ShouldBeEmpty();
        foreach (var (table, columns) in names.Inserts)
        {
            // SQL Server, like the others, rejects a row without a value for one of these.
            Tables().Single(t => t.GetTableName() == table).GetProperties()
                .Where(p => !p.IsNullable && p.ValueGenerated == ValueGenerated.Never && p.GetDefaultValueSql() is null
                    && !p.TryGetDefaultValue(out _))
                .Select(p => p.GetColumnName()).Except(columns).ShouldBeEmpty();
        }
    }

    [Fact]
    public void Every_view_parses_and_selects_existing_columns()
    {
        var columns = Columns();
        foreach (var view in TaskViews.Names)
            columns[view] = [.. TaskColumn.Visible.Select(c => c.Name)];
        foreach (var view in TaskViewTests.ViewsOf(DatabaseProvider.SqlServer))
        {
            using var text = new StringReader(view);
            var script = new TSql150Parser(initialQuotedIdentifiers: true).Parse(text, out var errors);

            errors.Select(e => $"{e.Line}:{e.Column} {e.Message}").ShouldBeEmpty();
            new StatementNames(script, columns).Missing.ShouldBeEmpty();
        }
    }

    /// <summary>Statements count the events of an outbox row by the length of its ids.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(OutboxRows.MaxEvents)]
    public void The_number_of_events_of_a_row_follows_from_the_length_of_its_ids(int events)
    {
        var row = OutboxRows.Pack(Enumerable.Range(0, events).Select(_ => new TaskEvent { TaskId = Guid.NewGuid() }))
            .ShouldHaveSingleItem();

        (Encoding.Unicode.GetByteCount(OutboxJson.Write(row.Ids)) / SqlServerTaskStore.BytesOfId).ShouldBe(events);
    }

    [Fact]
    public void No_statement_uses_MERGE() =>
        Statements().Values.ShouldAllBe(s => !s.Text.Contains("merge", StringComparison.OrdinalIgnoreCase));

    /// <summary>Makes any change of a statement, or of a parameter's type, visible in review.</summary>
    [Fact]
    public async Task Statements_match_the_snapshot()
    {
        var text = string.Join("\n", Statements().OrderBy(s => s.Key, StringComparer.Ordinal).Select(s =>
            $"-- {s.Key}({string.Join(", ", s.Value.Parameters.Select(p => $"{p.Name} {p.Type} {p.Size} {p.Scale}"))})\n{s.Value.Text}\n"));
        var file = Repository.FileAt("tests", "Unit", "SqlServer", "statements.sql");
        if (Repository.WritesDocs)
            await File.WriteAllTextAsync(file, text);
        (await File.ReadAllTextAsync(file)).ShouldBe(text, "run this test with TASKQUEUE_WRITE_DOCS=1 to write statements.sql");
    }

    private static Dictionary<string, Statement> Statements() =>
        typeof(SqlServerTaskStore).GetFields(BindingFlags.Static | BindingFlags.NonPublic).Where(f => f.FieldType == typeof(Statement))
            .ToDictionary(f => f.Name, f => (Statement)f.GetValue(null)!);

    private static TSqlFragment Parse(string statement)
    {
        using var text = new StringReader(statement);
        return new TSql150Parser(initialQuotedIdentifiers: true).Parse(text, out _);
    }

    private static Dictionary<string, HashSet<string>> Columns() =>
        Tables().ToDictionary(t => t.GetTableName()!, t => t.GetProperties().Select(p => p.GetColumnName()).ToHashSet());

    private static IEnumerable<IEntityType> Tables() =>
        TestDatabase.CreateContext(DatabaseProvider.SqlServer).GetService<IDesignTimeModel>().Model.GetEntityTypes()
            .Where(e => e.GetTableName() is not null); // views are read by EF Core only

    private sealed class Variables : TSqlFragmentVisitor
    {
        public HashSet<string> Used { get; } = [];

        public HashSet<string> Declared { get; } = [];

        public override void Visit(VariableReference node) => Used.Add(node.Name);

        public override void Visit(DeclareVariableElement node) => Declared.Add(node.VariableName.Value);

        public override void Visit(DeclareTableVariableBody node) => Declared.Add(node.VariableName.Value);

        public override void Visit(ExecuteParameter node)
        {
            if (node.Variable is not null)
                Declared.Add(node.Variable.Name); // the procedure's, not ours
        }
    }
}
