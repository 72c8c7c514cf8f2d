using Microsoft.SqlServer.TransactSql.ScriptDom;

namespace TaskQueue.Tests.Unit.SqlServer;

/// <summary>
/// Which columns a statement can refer to, given the names of its tables, and which of its names do not exist.
/// A name that stands for several tables in different places may have the columns of each of them.
/// </summary>
internal sealed class StatementNames : TSqlFragmentVisitor
{
    private readonly IReadOnlyDictionary<string, HashSet<string>> _model;
    private readonly Dictionary<string, HashSet<string>> _known = [];
    private readonly List<ColumnReferenceExpression> _used = [];
    private readonly List<string> _unknown = [];

    /// <param name="statement">The parsed statement.</param>
    /// <param name="model">The columns of each table.</param>
    public StatementNames(TSqlFragment statement, IReadOnlyDictionary<string, HashSet<string>> model)
    {
        _model = model;
        statement.Accept(this);
        // Common table expressions are used by name, also by each other: their columns are known only now.
        statement.Accept(new Aliases(this));
    }

    /// <summary>Names of tables and columns that are neither in the model nor defined by the statement itself.</summary>
    public IEnumerable<string> Missing =>
        [.. _unknown.Where(name => !_known.ContainsKey(name)),
            .. _used.Where(c => !IsKnown(c)).Select(c => string.Join('.', c.MultiPartIdentifier.Identifiers.Select(i => i.Value)))];

    /// <summary>For each insert, the table and the columns that get a value.</summary>
    public List<(string Table, string[] Columns)> Inserts { get; } = [];

    public override void Visit(ColumnReferenceExpression node)
    {
        if (node.MultiPartIdentifier is not null)
            _used.Add(node);
    }

    /// <summary>Names of common table expressions that a statement defines twice.</summary>
    public List<string> DefinedTwice { get; } = [];

    public override void Visit(WithCtesAndXmlNamespaces node) => DefinedTwice.AddRange(
        node.CommonTableExpressions.CountBy(e => e.ExpressionName.Value, StringComparer.OrdinalIgnoreCase)
            .Where(n => n.Value > 1).Select(n => n.Key));

    public override void Visit(CommonTableExpression node) => Add(node.ExpressionName.Value, ColumnsOf(node.QueryExpression));

    public override void Visit(QueryDerivedTable node) => Add(node.Alias.Value, ColumnsOf(node.QueryExpression));

    public override void Visit(InlineDerivedTable node) => Add(node.Alias.Value, node.Columns.Select(c => c.Value));

    public override void Visit(OpenJsonTableReference node) =>
        Add(node.Alias.Value, node.SchemaDeclarationItems.Select(i => i.ColumnDefinition.ColumnIdentifier.Value));

    public override void Visit(DeclareTableVariableBody node) =>
        Add(node.VariableName.Value, node.Definition.ColumnDefinitions.Select(c => c.ColumnIdentifier.Value));

    public override void Visit(InsertSpecification node)
    {
        if (node.Target is not NamedTableReference target)
            return;
        Inserts.Add((target.SchemaObject.BaseIdentifier.Value, [.. node.Columns.Select(c => c.MultiPartIdentifier.Identifiers[^1].Value)]));
        Add("inserted", TableColumns(target) ?? []);
    }

    public override void Visit(UpdateSpecification node) => Add("inserted", _model.Values.SelectMany(c => c));

    public override void Visit(DeleteSpecification node) => Add("deleted", _model.Values.SelectMany(c => c));

    private bool IsKnown(ColumnReferenceExpression column)
    {
        var parts = column.MultiPartIdentifier.Identifiers;
        var name = parts[^1].Value;
        return parts.Count == 1
            ? _known.Values.Any(columns => columns.Contains(name))
            : _known.TryGetValue(parts[^2].Value, out var columns) && columns.Contains(name);
    }

    private void Add(string name, IEnumerable<string> columns)
    {
        if (!_known.TryGetValue(name, out var known))
            _known[name] = known = [];
        known.UnionWith(columns);
    }

    private HashSet<string>? TableColumns(NamedTableReference table)
    {
        var name = table.SchemaObject.BaseIdentifier.Value;
        return _model.GetValueOrDefault(name) ?? _known.GetValueOrDefault(name);
    }

    private IEnumerable<string> ColumnsOf(QueryExpression query) => query switch
    {
        QuerySpecification select => select.SelectElements.SelectMany(e => e switch
        {
            SelectScalarExpression { ColumnName.Identifier.Value: { } name } => [name],
            SelectScalarExpression { Expression: ColumnReferenceExpression column } => [column.MultiPartIdentifier.Identifiers[^1].Value],
            SelectStarExpression => _model.Values.SelectMany(c => c),
            _ => Enumerable.Empty<string>(),
        }),
        BinaryQueryExpression both => ColumnsOf(both.FirstQueryExpression),
        QueryParenthesisExpression inner => ColumnsOf(inner.QueryExpression),
        _ => [],
    };

    private sealed class Aliases(StatementNames names) : TSqlFragmentVisitor
    {
        public override void Visit(NamedTableReference node)
        {
            var table = node.SchemaObject.BaseIdentifier.Value;
            // The target of an update or a delete is the alias that another part of it gives a table.
            if (names.TableColumns(node) is { } columns)
                names.Add(node.Alias?.Value ?? table, [.. columns]);
            else
                names._unknown.Add(table);
        }

        public override void Visit(VariableTableReference node) =>
            names.Add(node.Alias?.Value ?? node.Variable.Name, names._known[node.Variable.Name].ToList());
    }
}
