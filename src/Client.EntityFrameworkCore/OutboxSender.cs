using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;

namespace TaskQueue.Client;

/// <summary>
/// Sends leased rows and settles each part as soon as it is answered. A refusal does not say which rows it means: the batch is halved until
/// they stand alone, so that no row holds up another. A failure of unknown meaning is one of its row only if other rows pass.
/// </summary>
/// <param name="producer">Sends.</param>
/// <param name="store">Settles.</param>
/// <param name="options">Limits.</param>
/// <param name="metrics">Counts.</param>
/// <param name="context">Name of the context, for the metrics.</param>
/// <param name="logger">Receives what is set aside.</param>
internal sealed partial class OutboxSender(
    ITaskProducer producer, OutboxStore store, OutboxOptions options, OutboxMetrics metrics, string context, ILogger logger)
{
    /// <summary>If so many fail alone and none passes, not even the newest, it is not them.</summary>
    private const int MostUnknown = 10;

    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1), LongestPause = TimeSpan.FromMinutes(5);

    /// <summary>Rows that are sent, but perhaps not deleted: the database failed between.</summary>
    private List<long> _sent = [];

    /// <summary>Deletes what an earlier call could not delete.</summary>
    public async Task DeleteSentAsync(DbContext db)
    {
        if (_sent.Count == 0)
            return;
        await OutboxStore.DeleteAsync(db, _sent);
        _sent = [];
    }

    /// <summary>Sends rows.</summary>
    /// <param name="db">Their database.</param>
    /// <param name="rows">Leased rows.</param>
    /// <param name="cancellationToken">Ends the send, but not the statements that settle it.</param>
    /// <returns>Null if every row is settled; else why the rest was released unsent.</returns>
    public async Task<Exception?> SendAsync(DbContext db, IReadOnlyList<OutboxTask> rows, CancellationToken cancellationToken)
    {
        var parts = new Stack<IReadOnlyList<(OutboxTask Row, NewTask Task)>>();
        var unknown = new List<(OutboxTask Row, string Error)>();
        var (passes, probes) = (false, 0);
        Exception? last = null;
        foreach (var part in (await ReadAsync(db, rows)).GroupBy(r => r.Row.Attempts > 0).OrderByDescending(g => g.Key))
            parts.Push([.. part]); // those that have failed before come last, so that they hold up no other
        while (parts.TryPop(out var part))
        {
            if (part.Count == 0)
                continue;
            try
            {
                cancellationToken.ThrowIfCancellationRequested();
                await producer.EnqueueManyAsync(part.Select(p => p.Task), cancellationToken);
            }
#pragma warning disable CA1031 // every failure is judged, and stored with its rows
            catch (Exception fault)
#pragma warning restore CA1031
            {
                var verdict = OutboxFaults.Judge(fault);
                // It failed before, and others have just passed: no outage, unless one began this moment, which costs an attempt.
                if (verdict == OutboxFault.Unavailable && passes && part.Count == 1 && part[0].Row.Attempts > 0
                    && !cancellationToken.IsCancellationRequested)
                    verdict = OutboxFault.Unknown;
                if (verdict == OutboxFault.Unknown && part.Count == 1)
                {
                    last = fault;
                    unknown.Add((part[0].Row, OutboxFaults.Text(fault)));
                    if (!passes && unknown.Count == MostUnknown)
                        probes = await NewestFirstAsync(db, parts);
                    if (passes || unknown.Count < MostUnknown || probes-- > 0)
                        continue;
                    verdict = OutboxFault.Unavailable;
                }

                if (verdict == OutboxFault.Unavailable)
                {
                    var error = cancellationToken.IsCancellationRequested ? null : OutboxFaults.Text(fault);
                    await store.ReleaseAsync(db, [.. parts.Prepend(part).SelectMany(p => p).Select(p => p.Row)
                        .Concat(unknown.Select(u => u.Row)).Select(r => r.Sequence).Distinct()], error);
                    return fault;
                }

                if (Split(part, verdict) is { } smaller)
                {
                    foreach (var next in Enumerable.Reverse(smaller)) // the first is tried next
                        parts.Push(next);
                }
                else
                {
                    await RefusedAsync(db, [.. part.Select(p => p.Row)], verdict, OutboxFaults.Text(fault));
                }

                continue;
            }

            passes = true;
            _sent = [.. part.Select(p => p.Row.Sequence)];
            metrics.Sent(context, part.Count);
            await DeleteSentAsync(db);
        }

        if (last is null)
            return null;
        if (!passes)
        {
            await store.ReleaseAsync(db, [.. unknown.Select(u => u.Row.Sequence)], OutboxFaults.Text(last));
            return last;
        }

        foreach (var same in unknown.GroupBy(u => u.Error))
            await RefusedAsync(db, [.. same.Select(u => u.Row)], OutboxFault.Unknown, same.Key);
        return null;
    }

    /// <summary>Tries rows that failed alone later, since others pass.</summary>
    public async Task FallBackAsync(DbContext db, IReadOnlyList<(OutboxTask Row, string Error)> failed)
    {
        await store.LeaseAsync(db, [.. failed.Select(f => f.Row.Sequence)]);
        foreach (var same in failed.GroupBy(f => f.Error))
            await RefusedAsync(db, [.. same.Select(f => f.Row)], OutboxFault.Unknown, same.Key);
    }

    /// <summary>Parses rows; sets those aside that somebody has changed by hand.</summary>
    private async Task<List<(OutboxTask Row, NewTask Task)>> ReadAsync(DbContext db, IReadOnlyList<OutboxTask> rows)
    {
        var read = new List<(OutboxTask, NewTask)>();
        foreach (var row in rows)
        {
            try
            {
                read.Add((row, OutboxSubmission.Read(row.Submission)));
            }
            catch (JsonException fault)
            {
                await RefusedAsync(db, [row], OutboxFault.Refused, OutboxFaults.Text(fault));
            }
        }

        return read;
    }

    /// <summary>
    /// Puts the newest row that is left, and the newest of the outbox, before the others and each alone: those that fail by
    /// themselves, such as tasks of one kind, may be any number, and the first of all.
    /// </summary>
    /// <returns>How many.</returns>
    private async Task<int> NewestFirstAsync(DbContext db, Stack<IReadOnlyList<(OutboxTask Row, NewTask Task)>> parts)
    {
        var newest = await ReadAsync(db, (await store.ClaimAsync(db, 1, CancellationToken.None, newest: true)).Rows);
        var left = parts.Where(p => p.Count > 0).ToList(); // the next one first
        if (left.Count > 0)
            newest.Add(left.SelectMany(p => p).MaxBy(p => p.Row.Sequence));
        parts.Clear();
        foreach (var part in Enumerable.Reverse(left))
            parts.Push([.. part.Where(p => newest.TrueForAll(n => n.Row.Sequence != p.Row.Sequence))]);
        foreach (var alone in newest)
            parts.Push([alone]);
        return newest.Count;
    }

    /// <summary>The parts to try next; null if the failure is about these rows alone.</summary>
    private static IReadOnlyList<(OutboxTask Row, NewTask Task)>[]? Split(
        IReadOnlyList<(OutboxTask Row, NewTask Task)> part, OutboxFault verdict)
    {
        if (part.Count == 1)
            return null;
        if (verdict != OutboxFault.Forbidden)
            return [[.. part.Take(part.Count / 2)], [.. part.Skip(part.Count / 2)]];
        var queues = part.GroupBy(p => p.Row.Queue).ToList();
        return queues.Count == 1 ? null : [.. queues.Select(q => q.ToList())];
    }

    private async Task RefusedAsync(DbContext db, List<OutboxTask> rows, OutboxFault verdict, string error)
    {
        // All that are refused together may have been refused differently often before.
        foreach (var same in rows.GroupBy(r => r.Attempts))
        {
            List<long> sequences = [.. same.Select(r => r.Sequence)];
            if (verdict != OutboxFault.Refused && same.Key + 1 < options.MaxAttempts)
            {
                await store.DeferAsync(db, sequences, error, Pause(same.Key));
                continue;
            }

            var count = await store.SetAsideAsync(db, sequences, error);
            metrics.SetAside(context, count);
            if (count > 0)
                LogSetAside(count, context, same.First().TaskId, error);
        }
    }

    private static TimeSpan Pause(int attempts)
    {
        var pause = FirstPause * Math.Pow(2, Math.Min(attempts, 20));
        return pause < LongestPause ? pause : LongestPause;
    }

    [LoggerMessage(LogLevel.Error, "{Count} tasks in the outbox of {Context} are set aside, such as {TaskId}: {Why}")]
    private partial void LogSetAside(int count, string context, Guid taskId, string why);
}
