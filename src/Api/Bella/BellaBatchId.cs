namespace TaskQueue.Api.Bella;

/// <summary>The id of a batch as this door shows it.</summary>
internal static class BellaBatchId
{
    /// <summary><c>BATCH-{queue}-{level}-{yyMMddHHmmss}-{instance}-{serial}</c>: a task's id without its mode.</summary>
    public static string Format(Guid id) => BellaTaskId.FromGuid(id)?.ToString().Replace("TASK-", "BATCH-", StringComparison.Ordinal).Replace("-P-", "-", StringComparison.Ordinal) ?? id.ToString();
}
