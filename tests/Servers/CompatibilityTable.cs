namespace TaskQueue.Tests.Servers;

/// <summary>A client in docs/compatibility.md.</summary>
/// <param name="Packages">Its packages, which the programs of tests use.</param>
/// <param name="Versions">Their versions, in the same order.</param>
/// <param name="Works">What works, as tests name it.</param>
/// <param name="Tests">Classes of tests, some with a method: <c>Class.Method</c>.</param>
internal sealed record CompatibilityRow(
    IReadOnlyList<string> Packages, IReadOnlyList<string> Versions, IReadOnlyList<string> Works, IReadOnlyList<string> Tests);

/// <summary>The tables of docs/compatibility.md, all with the same columns.</summary>
internal static class CompatibilityTable
{
    /// <summary>All rows.</summary>
    public static IReadOnlyList<CompatibilityRow> Rows { get; } =
        [.. File.ReadLines(Repository.FileAt("docs", "compatibility.md"))
            .Where(l => l.StartsWith('|') && !l.StartsWith("|---", StringComparison.Ordinal)
                && !l.StartsWith("| client ", StringComparison.Ordinal))
            .Select(Read)];

    /// <summary>The row that a test shows.</summary>
    public static CompatibilityRow RowOf(string test) =>
        Rows.SingleOrDefault(r => r.Tests.Contains(test))
            ?? throw new InvalidOperationException($"No row of docs/compatibility.md is shown by {test}.");

    private static CompatibilityRow Read(string line)
    {
        if (line.Split('|', StringSplitOptions.TrimEntries) is not ["", var client, var versions, var works, _, var tests, ""])
            throw new InvalidOperationException($"Not five columns: {line}");
        return new CompatibilityRow(Quoted(client), List(versions), List(works), Quoted(tests));
    }

    private static string[] List(string cell) => cell.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    /// <summary>What is between backticks.</summary>
    private static string[] Quoted(string cell) => [.. cell.Split('`').Where((_, n) => n % 2 == 1)];
}
