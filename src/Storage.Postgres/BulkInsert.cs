using Npgsql;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Postgres;

internal sealed partial class PostgresTaskStore
{
    public async Task<IReadOnlyList<SubmitResult>?> InsertAsync(IReadOnlyList<NewTask> tasks, InsertStep? step = null)
    {
        var answers = step is null && tasks.All(t => t.Task is { DedupeKey: null, OrderingKey: null })
            && await InsertPlainAsync([.. tasks.Select(t => t.Task)])
            ? [.. tasks.Select(t => new SubmitResult(t.Task.CorrelationId, SubmitStatus.Accepted, t.Task))]
            : (await RetryRacesAsync(() => InsertOrderedAsync(tasks, step))).Answers;
        Committed(answers?.Select(a => a.Task).OfType<TaskState>() ?? []);
        return answers;
    }

    /// <summary>Inserts tasks without conflicts in one statement. False if an id exists; then nothing is inserted.</summary>
    private async Task<bool> InsertPlainAsync(List<TaskState> tasks)
    {
        await using var connection = await source.OpenConnectionAsync();
        await using var batch = new NpgsqlBatch(connection)
        {
            BatchCommands = { Inserts.Write(tasks, [.. tasks.Select(t => t.Submitted())], PickPartition()) },
        };
        try
        {
            await batch.ExecuteNonQueryAsync(); // a transaction of its own
            return true;
        }
        catch (PostgresException taken) when (taken.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            return false;
        }
    }
}
