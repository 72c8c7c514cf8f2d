using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace TaskQueue.Engine.Audit;

/// <summary>
/// Records administrative acts and what was refused, in table <c>audit</c> and in the log category <c>TaskQueue.Audit</c>.
/// </summary>
public sealed partial class AuditLog(IAuditStore store, TimeProvider time, ILoggerFactory loggers)
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
            await store.AddAsync(record);
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
            await AddEachAsync([record]);
            _late.TryDequeue(out _);
        }

        var due = _windows.Due(isLast);
        var fresh = due.Where(c => c.Window.RowId is null).ToList();
        var records = fresh.ConvertAll(c => ToRecord(c));
        await AddEachAsync(records);
        foreach (var (change, record) in fresh.Zip(records))
            _windows.Written(change, record.Id == 0 ? null : record.Id);
        await UpdateAsync(due.Where(c => !fresh.Contains(c)));
    }

    private async Task UpdateAsync(IEnumerable<AuditWindows.Change> changes)
    {
        foreach (var change in changes)
        {
            if (change.Count > change.Window.Written && change.Window.RowId is { } id)
                await store.ReplaceAfterAsync(id, ToRecord(change).After);

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

    private async Task AddEachAsync(List<AuditRecord> records)
    {
        foreach (var (record, fault) in await store.AddEachAsync(records))
            LogRefused(fault, record.Action, record.Actor);
    }

    private void Defer(AuditRecord record)
    {
        if (_late.Count < MaxLate)
            _late.Enqueue(record);
        else
            LogLost(record.Action, record.Actor);
    }

    private void Log(AuditRecord r) => LogRecord(r.Action, r.Result, r.Actor, r.Tenant, r.Address, r.Target, r.Before, r.After);

    [LoggerMessage(LogLevel.Information,
        "{Action} {Result}: actor {Actor}, tenant {Tenant}, address {Address}, target {Target}, before {Before}, after {After}")]
    private partial void LogRecord(string action, string result, string? actor, string? tenant, string? address, string? target,
        string? before, string? after);

    [LoggerMessage(LogLevel.Information, "{Action} repeated: actor {Actor}, address {Address}, {Count} times in a minute")]
    private partial void LogRepeated(string action, string? actor, string? address, long count);

    [LoggerMessage(LogLevel.Error, "The record of {Action} by {Actor} is in the log only: the database refuses it")]
    private partial void LogRefused(Exception fault, string action, string? actor);

    [LoggerMessage(LogLevel.Error, "The record of {Action} by {Actor} is in the log only: too many wait for the database")]
    private partial void LogLost(string action, string? actor);
}
