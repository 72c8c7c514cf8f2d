using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine;
using TaskQueue.Engine.Logs;
using TaskQueue.Storage.Encryption;

namespace TaskQueue.Storage.Logs;

/// <summary>Table <c>task_logs</c> in EF Core.</summary>
internal sealed class TaskLogStore(IDbContextFactory<TaskDbContext> databases) : ITaskLogStore
{
    /// <summary>Tries of an append against other processes that append to the same task.</summary>
    private const int MaxTries = 5;

    public async Task AppendAsync(IReadOnlyList<TaskLogChunk> chunks, CancellationToken cancellationToken)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                await TryAppendAsync(chunks, cancellationToken);
                return;
            }
            catch (DbUpdateException) when (tries < MaxTries)
            {
                // Another process has taken the number of a line.
            }
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

    private async Task TryAppendAsync(IReadOnlyList<TaskLogChunk> chunks, CancellationToken cancellationToken)
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
        foreach (var chunk in chunks.Where(c => ends.ContainsKey(c.TaskId)))
        {
            var (number, before) = ends[chunk.TaskId];
            var row = new TaskLogRow
            {
                TaskId = chunk.TaskId, Number = number, Count = chunk.Lines.Count, BytesBefore = before,
                Bytes = TaskLogRules.BytesOf(chunk.Lines), Attempt = chunk.Attempt, Lines = TaskLogRow.ToText(chunk.Lines),
            };
            ends[chunk.TaskId] = (number + row.Count, before + row.Bytes);
            db.TaskLogs.Add(row);
        }

        await db.SaveChangesAsync(cancellationToken);
        foreach (var (id, (number, bytes)) in ends.Where(e => e.Value.Number - 1 > TaskLogRules.MaxLines
            || e.Value.Bytes > TaskLogRules.MaxBytes))
        {
            await db.TaskLogs.Where(r => r.TaskId == id && (r.Number < number - TaskLogRules.MaxLines
                || r.BytesBefore < bytes - TaskLogRules.MaxBytes)).ExecuteDeleteAsync(cancellationToken);
        }
    }
}
