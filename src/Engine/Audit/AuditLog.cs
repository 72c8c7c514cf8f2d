using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Storage;

namespace TaskQueue.Engine.Audit;

/// <summary>
/// Records administrative acts and what was refused, in table <c>audit</c> and in the log category <c>TaskQueue.Audit</c>.
/// </summary>
public sealed partial class AuditLog(IDbContextFactory<TaskDbContext> databases, TimeProvider time, ILoggerFactory loggers)
{
    /// <summary>Category of its log lines.</summary>
    public const string Category = "TaskQueue.Audit";

    private const int MaxLate = 10_000;

    private readonly AuditWindows _windows = new(time);
    private readonly ConcurrentQueue<AuditRecord> _late = new();
    private readonly ILogger _logger = loggers.CreateLogger(Category);

    /// <summary>Records an act before it is answered. If the database fails, the record is written later and the fault is thrown.</summary>
    public async Task RecordAsync(AuditEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        var record = entry.ToRecord(Micros.Now(time));
        Log(record);
        try
        {
            await InsertAsync([record]);
        }
        catch
        {
            Defer(record);
            throw;
        }
    }

    /// <summary>Records what changed nothing: written within seconds, repetitions within a minute as one row.</summary>
    /// <param name="entry">What happened.</param>
    /// <param name="place">What tells targets apart; bounded by the program.</param>
    public void RecordRefusal(AuditEntry entry, string? place)
    {
        ArgumentNullException.ThrowIfNull(entry);
        if (_windows.Add(entry, place))
            Log(entry.ToRecord(Micros.Now(time)));
    }

    /// <summary>Writes what waits.</summary>
    internal async Task FlushAsync(bool isLast)
    {
        while (_late.TryPeek(out var record))
        {
            await InsertAloneAsync(record);
            _late.TryDequeue(out _);
        }

        var due = _windows.Due(isLast);
        var fresh = due.Where(c => c.Window.RowId is null).ToList();
        var records = fresh.ConvertAll(c => ToRecord(c));
        await InsertEachAsync(records);
        foreach (var (change, record) in fresh.Zip(records))
            _windows.Written(change, record.Id == 0 ? null : record.Id);
        await UpdateAsync(due.Where(c => !fresh.Contains(c)));
    }

    private async Task UpdateAsync(IEnumerable<AuditWindows.Change> changes)
    {
        await using var db = await databases.CreateDbContextAsync();
        foreach (var change in changes)
        {
            if (change.Count > change.Window.Written)
            {
                var (id, after) = (change.Window.RowId, ToRecord(change).After);
                await db.Audit.Where(r => r.Id == id).ExecuteUpdateAsync(r => r.SetProperty(x => x.After, after));
            }

            if (change is { IsOver: true, Count: > 1 })
                LogRepeated(change.Key.Action, change.Key.Actor, change.Key.Address, change.Count);
            _windows.Written(change, rowId: null);
        }
    }

    private static AuditRecord ToRecord(AuditWindows.Change change)
    {
        var record = change.Window.Entry.ToRecord(Micros.ToTime(Micros.FromTime(change.Window.First)));
        if (change.Count > 1)
            record.After = JsonSerializer.Serialize(new { count = change.Count, until = change.Last });
        return record;
    }

    /// <summary>One that the database refuses must not keep the others from being written.</summary>
    private async Task InsertEachAsync(List<AuditRecord> records)
    {
        try
        {
            await InsertAsync(records);
        }
        catch (Exception fault) when (PoisonRules.IsOfRow(fault))
        {
            foreach (var record in records)
                await InsertAloneAsync(record);
        }
    }

    private async Task InsertAloneAsync(AuditRecord record)
    {
        record.Id = 0; // given by an insert that failed
        try
        {
            await InsertAsync([record]);
        }
        catch (Exception fault) when (PoisonRules.IsOfRow(fault))
        {
            record.Id = 0;
            LogRefused(fault, record.Action, record.Actor);
        }
    }

    private async Task InsertAsync(List<AuditRecord> records)
    {
        if (records.Count == 0)
            return;
        await using var db = await databases.CreateDbContextAsync();
        db.Audit.AddRange(records);
        await db.SaveChangesAsync();
    }

    private void Defer(AuditRecord record)
    {
        if (_late.Count < MaxLate)
            _late.Enqueue(record);
        else
            LogLost(record.Action, record.Actor);
    }

    private void Log(AuditRecord r) => LogRecord(r.Action, r.Result, r.Actor, r.Tenant, r.Address, r.Target, r.Before, r.After);

    [LoggerMessage(LogLevel.Information, "{Action} {Result}: actor {Actor}, tenant {Tenant}, address {Address}, target {Target}, before {Before}, after {After}")]
    private partial void LogRecord(string action, string result, string? actor, string? tenant, string? address, string? target, string? before, string? after);

    [LoggerMessage(LogLevel.Information, "{Action} repeated: actor {Actor}, address {Address}, {Count} times in a minute")]
    private partial void LogRepeated(string action, string? actor, string? address, long count);

    [LoggerMessage(LogLevel.Error, "The record of {Action} by {Actor} is in the log only: the database refuses it")]
    private partial void LogRefused(Exception fault, string action, string? actor);

    [LoggerMessage(LogLevel.Error, "The record of {Action} by {Actor} is in the log only: too many wait for the database")]
    private partial void LogLost(string action, string? actor);
}
