using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine;
using TaskQueue.Engine.Encryption;
using TaskQueue.Engine.Logs;
using TaskQueue.Storage.Encryption;

namespace TaskQueue.Storage.Logs;

/// <summary>
/// Table <c>task_logs</c>: an append is a read, a statement that adds all lines, and one for each task that has too many: it drops the
/// oldest.
/// </summary>
internal sealed class TaskLogStore(
    IDbContextFactory<TaskDbContext> databases, ITaskLogWrites writes, DataCipher cipher, TimeProvider time) : ITaskLogStore
{
    /// <summary>Tries of an append against other processes that append to the same task.</summary>
    private const int MaxTries = 5;

    public async Task AppendAsync(IReadOnlyList<TaskLogChunk> chunks, CancellationToken cancellationToken)
    {
        for (var tries = 1; !await TryAppendAsync(chunks, cancellationToken); tries++)
        {
            if (tries == MaxTries)
                throw new InvalidOperationException($"other processes have taken the numbers of the lines {tries} times in a row");
            await Task.Delay(TimeSpan.FromMilliseconds(Random.Shared.Next(1, 20 * tries)), time, cancellationToken);
        }
    }

    public async Task<IReadOnlyList<TaskLogEntry>> ReadAsync(Guid taskId, long after, int max, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var rows = db.TaskLogs.AsNoTracking().Where(r => r.TaskId == taskId && r.Number + r.Count - 1 > after).OrderBy(r => r.Number);
        var entries = new List<TaskLogEntry>();
        await foreach (var row in rows.AsAsyncEnumerable().WithCancellation(cancellationToken))
        {
            entries.AddRange(ReadRow(db, row).Where(e => e.Number > after));
            if (entries.Count >= max)
                break;
        }

        return entries.Count > max ? entries[..max] : entries;
    }

    public async Task<(int Removed, Guid? Last)> RemoveOrphansAsync(Guid after, int max, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var ids = await db.TaskLogs.Where(r => r.TaskId > after).Select(r => r.TaskId).Distinct().OrderBy(id => id).Take(max)
            .ToListAsync(cancellationToken);
        if (ids.Count == 0)
            return (0, null);
        var known = await db.Submitted.Where(t => ids.Contains(t.CorrelationId)).Select(t => t.CorrelationId)
            .ToListAsync(cancellationToken);
        var gone = ids.Except(known).ToList();
        var removed = gone.Count == 0 ? 0
            : await db.TaskLogs.Where(r => gone.Contains(r.TaskId)).ExecuteDeleteAsync(cancellationToken);
        return (removed, ids.Count < max ? null : ids[^1]);
    }

    /// <summary>Lines that cannot be decrypted are shown as one that says why.</summary>
    private static IEnumerable<TaskLogEntry> ReadRow(TaskDbContext db, TaskLogRow row)
    {
        try
        {
            return db.Open(row)!.Read();
        }
        catch (UnreadableDataException unreadable)
        {
            return [new TaskLogEntry(row.Number + row.Count - 1, row.Attempt,
                new TaskLogLine(DateTime.UnixEpoch, TaskLogLevel.Error, unreadable.Message))];
        }
    }

    /// <returns>False if another process has taken the number of a line.</returns>
    private async Task<bool> TryAppendAsync(IReadOnlyList<TaskLogChunk> chunks, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var ids = chunks.Select(c => c.TaskId).Distinct().ToList();
        // The last row of a task has the totals: each is found at the end of the key, without reading the rows before.
        var ends = await db.Submitted.Where(t => ids.Contains(t.CorrelationId)).Select(t => new
        {
            t.CorrelationId,
            Number = db.TaskLogs.Where(r => r.TaskId == t.CorrelationId).OrderByDescending(r => r.Number)
                .Select(r => (int?)(r.Number + r.Count)).FirstOrDefault(),
            Bytes = db.TaskLogs.Where(r => r.TaskId == t.CorrelationId).OrderByDescending(r => r.Number)
                .Select(r => (long?)(r.BytesBefore + r.Bytes)).FirstOrDefault(),
        }).ToDictionaryAsync(t => t.CorrelationId, t => (Number: t.Number ?? 1, Bytes: t.Bytes ?? 0), cancellationToken);
        var rows = new List<TaskLogRow>(chunks.Count);
        foreach (var chunk in chunks.Where(c => ends.ContainsKey(c.TaskId)))
        {
            var (number, before) = ends[chunk.TaskId];
            var row = new TaskLogRow
            {
                TaskId = chunk.TaskId, Number = number, Count = chunk.Lines.Count, BytesBefore = before,
                Bytes = TaskLogRules.BytesOf(chunk.Lines), Attempt = chunk.Attempt, Lines = TaskLogRow.ToText(chunk.Lines),
            };
            ends[chunk.TaskId] = (number + row.Count, before + row.Bytes);
            foreach (var text in StoredText.Of(row))
                text.Set(cipher.Seal(text.Place, text.Value));
            rows.Add(row);
        }

        if (rows.Count == 0)
            return true;
        if (!await writes.AddLogsAsync([.. rows.OrderBy(r => r.TaskId).ThenBy(r => r.Number)], cancellationToken))
            return false;
        foreach (var (task, (number, bytes)) in ends)
        {
            if (number - 1 > TaskLogRules.MaxLines || bytes > TaskLogRules.MaxBytes)
                await DropOldestAsync(db, task, number, bytes, cancellationToken);
        }

        return true;
    }

    /// <summary>
    /// Drops what exceeds the limits of a task: a range of its rows, by the totals that its last row has. There are at most as many such
    /// tasks as a report has.
    /// </summary>
    /// <param name="db">The database.</param>
    /// <param name="task">The task.</param>
    /// <param name="number">Number of its next line.</param>
    /// <param name="bytes">Bytes of all its lines, also of dropped ones.</param>
    /// <param name="cancellationToken">Cancels it.</param>
    private static Task<int> DropOldestAsync(
        TaskDbContext db, Guid task, int number, long bytes, CancellationToken cancellationToken) =>
        db.TaskLogs.Where(r => r.TaskId == task
            && (r.Number < number - TaskLogRules.MaxLines || r.BytesBefore < bytes - TaskLogRules.MaxBytes))
            .ExecuteDeleteAsync(cancellationToken);
}
