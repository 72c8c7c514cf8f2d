namespace TaskQueue.Engine.Ids;

/// <summary>
/// The id of a batch as APIs show it: <c>BATCH-{queue}-{tier}-{yyMMddHHmmss}-{instance}-{serial}</c>, a task's id without its mode.
/// </summary>
public static class BatchId
{
    /// <summary>Formats an id.</summary>
    public static string Format(Guid id) =>
        NumberedTaskId.FromGuid(id)?.ToString().Replace("TASK-", "BATCH-", StringComparison.Ordinal)
            .Replace("-P-", "-", StringComparison.Ordinal) ?? id.ToString();

    /// <summary>Parses what <see cref="Format"/> returns; null if the text is invalid.</summary>
    public static NumberedTaskId? Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.Split('-') is ["BATCH", var queue, var tier, var second, var instance, var serial]
            ? NumberedTaskId.Parse($"TASK-{queue}-{tier}-P-{second}-{instance}-{serial}")
            : null;
    }
}
