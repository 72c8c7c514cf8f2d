using System.Text.RegularExpressions;

namespace TaskQueue.Tests.Unit.SqlServer;

/// <summary>
/// What statements do, in any of the three dialects: the columns they write, the rows they delete, the states they query.
/// </summary>
internal static partial class StatementEffects
{
    private const int Timeout = 1000;

    /// <summary>
    /// Sorted, and each once: "insert outbox: at, …", "update ready: due_at, …", "delete running", "ask state in (3, 7)".
    /// </summary>
    public static List<string> Of(IEnumerable<string> statements) =>
        [.. statements.SelectMany(Of).Distinct().Order(StringComparer.Ordinal)];

    /// <summary>Those of the columns that statements name anywhere: "name due_at".</summary>
    public static List<string> NamesOf(IEnumerable<string> statements, HashSet<string> columns) =>
        [.. statements.SelectMany(s => Words().Matches(s)).Select(w => w.Value).Where(columns.Contains).Distinct()
            .Order(StringComparer.Ordinal).Select(c => $"name {c}")];

    private static IEnumerable<string> Of(string statement)
    {
        var text = Spaces().Replace(statement, " ");
        foreach (Match insert in Inserts().Matches(text))
        {
            yield return $"insert {insert.Groups["table"].Value}: {Columns(insert.Groups["columns"].Value.Split(','))}";
            // An insert that updates existing rows is an update elsewhere.
            var end = insert.NextMatch() is { Success: true } next ? next.Index : text.Length;
            if (Conflict().Match(text, insert.Index, end - insert.Index) is { Success: true } conflict)
                yield return $"update {insert.Groups["table"].Value}: {Columns(Assignments(text[(conflict.Index + conflict.Length)..]))}";
        }

        foreach (Match update in Updates().Matches(text))
            yield return $"update {Table(text, update)}: "
                + $"{Columns(Assignments(text[(update.Index + update.Length)..]))}";
        // Not from a table variable of the statement.
        foreach (var table in Deletes().Matches(text).Select(d => Table(text, d)).Where(t => t.Length > 1))
            yield return $"delete {table}";
        foreach (Match state in States().Matches(text))
            yield return $"ask state {state.Groups["test"].Value}";
    }

    private static string Columns(IEnumerable<string> names) =>
        string.Join(", ", names.Select(n => n.Trim()).Order(StringComparer.Ordinal));

    /// <summary>The table behind the alias that is the target of an update or a delete; the from clause that says so follows.</summary>
    private static string Table(string text, Match change)
    {
        var target = change.Groups["target"].Value;
        var alias = Aliases().Matches(text).FirstOrDefault(a => a.Index > change.Index && a.Groups["alias"].Value == target);
        return alias?.Groups["table"].Value ?? target;
    }

    /// <summary>The columns that a set clause, which text begins with, assigns to.</summary>
    private static IEnumerable<string> Assignments(string text)
    {
        var (depth, begin) = (0, 0);
        for (var i = 0; i <= text.Length; i++)
        {
            var ends = i == text.Length || (text[i] == ')' && depth == 0) || text[i] == ';'
                || (depth == 0 && SetEnds().IsMatch(text.AsSpan(i)));
            if (ends || (text[i] == ',' && depth == 0))
            {
                yield return text[begin..text.IndexOf('=', begin)];
                begin = i + 1;
            }

            if (ends)
                yield break;
            depth += text[i] switch { '(' => 1, ')' => -1, _ => 0 };
        }
    }

    [GeneratedRegex(@"(?:from|join) (?<table>\w+) (?<alias>\w+)\b", RegexOptions.None, Timeout)]
    private static partial Regex Aliases();

    [GeneratedRegex(@"(?<![@:$])\b[a-z_]+\b", RegexOptions.None, Timeout)]
    private static partial Regex Words();

    [GeneratedRegex(@"\s+", RegexOptions.None, Timeout)]
    private static partial Regex Spaces();

    [GeneratedRegex(@"insert into (?<table>\w+)(?: as \w+)? \((?<columns>[^)]*)\)", RegexOptions.None, Timeout)]
    private static partial Regex Inserts();

    [GeneratedRegex(@"on conflict \([^)]*\) do update set ", RegexOptions.None, Timeout)]
    private static partial Regex Conflict();

    [GeneratedRegex(@"(?<!do )update (?<target>\w+)(?: \w+)? set ", RegexOptions.None, Timeout)]
    private static partial Regex Updates();

    [GeneratedRegex(@"delete (?:(?<target>\w) (?:from|output)|from (?<target>\w+))", RegexOptions.None, Timeout)]
    private static partial Regex Deletes();

    [GeneratedRegex(@"\bstate (?<test>in \([\d, ]*\)|= \d)(?!,| *\w* *=)", RegexOptions.None, Timeout)]
    private static partial Regex States();

    [GeneratedRegex(@"^ (?:from|where|output|returning|\)) ", RegexOptions.None, Timeout)]
    private static partial Regex SetEnds();
}
