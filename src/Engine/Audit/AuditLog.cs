using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace TaskQueue.Engine.Audit;

/// <summary>
/// Records administrative actions and refused requests in table <c>audit</c> and in the log category <c>TaskQueue.Audit</c>.
/// </summary>
public sealed partial class AuditLog(IAuditStore store, TimeProvider time, ILoggerFactory loggers)
{
    /// <summary>Category of its log lines.</summary>
    public const string Category = "TaskQueue.Audit";

    private const int MaxLate = 10_000;

    private readonly AuditWindows _windows = new(time);
    private readonly ConcurrentQueue<AuditRecord> _late = new();
    private readonly ILogger _logger = loggers.CreateLogger(Category);

    /// <summary>
    /// Records an action before the caller gets a response. If the database fails, the record is written later and the exception is thrown.
    /// </summary>
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

    /// <summary>
    /// Records a request that changed nothing: written within seconds, with repetitions within a minute combined into one row.
    /// </summary>
    /// <param name="entry">The refused request.</param>
    /// <param name="place">Separates targets from each other; a bounded set of values, chosen by the program.</param>
    public void RecordRefusal(AuditEntry entry, string? place)
    {
        ArgumentNullException.ThrowIfNull(entry);
        if (_windows.Add(entry, place))
            Log(entry.ToRecord(Micros.Now(time)));
    }

    /// <summary>Writes pending records.</summary>
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

    [LoggerMessage(LogLevel.Error, "The database rejects the audit record of {Action} by {Actor}; it is in the log only")]
    private partial void LogRefused(Exception fault, string action, string? actor);

    [LoggerMessage(LogLevel.Error, "Too many audit records are pending; the record of {Action} by {Actor} is in the log only")]
    private partial void LogLost(string action, string? actor);
}
