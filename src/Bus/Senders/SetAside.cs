using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Bus.Senders;

/// <summary>An entry of a message that is not applied.</summary>
/// <param name="Subject">Identifies it within the messages of its kind, such as the id of a task.</param>
/// <param name="Reason">The reason.</param>
/// <param name="Queue">Queue of the task, if known.</param>
/// <param name="State">The entry as JSON, if worth keeping.</param>
public sealed record RefusedEntry(string Subject, string Reason, string? Queue = null, string? State = null);

/// <summary>Quarantines, counts and logs messages and entries that cannot be applied.</summary>
public sealed partial class SetAside(IQuarantine quarantine, TaskMetrics metrics, TimeProvider time, ILogger<SetAside> logger)
{
    /// <summary>Maximum entries of a message with a row of their own; the rest shares one.</summary>
    private const int MaxRows = 20;

    private const int MaxReason = 2000, MaxSubject = 128, MaxUsers = 10_000;

    private static readonly TimeSpan Again = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<(string Message, string User), Refusals> _refused = new();

    /// <summary>Records a message refused because of its sender: at once, and further ones of the same sender once a minute.</summary>
    public async Task RefusedAsync(string message, string? user, string reason)
    {
        metrics.SetAside(message, "sender");
        if (_refused.Count >= MaxUsers)
            _refused.Clear(); // bounded: users must exist at the broker
        if (_refused.GetOrAdd((message, user ?? ""), _ => new Refusals()).Take(time, Again) is not { } count)
            return;
        LogRefused(message, reason, count);
        await AddAsync(Item($"{message}:sender:{user}", reason, owner: null) with { Count = count });
    }

    /// <summary>Records a message that was not applied as a whole.</summary>
    /// <param name="endpoint">The broker queue it came from.</param>
    /// <param name="user">Its sender.</param>
    /// <param name="reason">The reason.</param>
    /// <param name="fate">What happened to it.</param>
    public async Task MessageAsync(string endpoint, string? user, string reason, string fate)
    {
        metrics.SetAside(endpoint, "message");
        await AddAsync(Item($"{endpoint}:message:{user}", reason, owner: null) with { State = fate });
    }

    /// <summary>Records entries of a message that were not applied; the others were.</summary>
    /// <exception cref="Exception">The database is unreachable: the message is redelivered.</exception>
    public async Task EntriesAsync(string message, string? user, string? owner, IReadOnlyList<RefusedEntry> entries)
    {
        ArgumentNullException.ThrowIfNull(entries);
        if (entries.Count == 0)
            return;
        LogEntries(entries.Count, message, user, entries[0].Subject, entries[0].Reason);
        Exception? fault = null;
        foreach (var entry in entries.Take(MaxRows))
        {
            var item = Item(owner is null ? $"{message}:{entry.Subject}" : $"{message}:{entry.Subject}:{owner}", entry.Reason, owner);
            fault = await AddAsync(item with { Queue = Cut(entry.Queue, MaxSubject), State = TextRules.Clean(entry.State) }) ?? fault;
        }

        if (entries.Count > MaxRows)
        {
            var rest = Item($"{message}:more:{user}", $"more entries of one message, the first: {entries[MaxRows].Reason}", owner);
            fault = await AddAsync(rest with { Count = entries.Count - MaxRows }) ?? fault;
        }

        if (fault is not null)
            ExceptionDispatchInfo.Throw(fault);

        metrics.SetAside(message, "entry", entries.Count);
    }

    private static Row Item(string subject, string reason, string? owner) => new(Cut(subject, MaxSubject)!, Cut(reason, MaxReason)!, owner);

    private static string? Cut(string? text, int length) => TextRules.Clean(text?.Length > length ? text[..length] : text);

    private Task<Exception?> AddAsync(Row row) => quarantine.AddAsync(
        new QuarantinedItem
        {
            Kind = "message", Subject = row.Subject, Queue = row.Queue, Owner = row.Owner, Reason = row.Reason, State = row.State,
            Count = row.Count,
        },
        CancellationToken.None);

    [LoggerMessage(LogLevel.Warning, "{Message} was refused: {Reason} ({Count} since this was logged last)")]
    private partial void LogRefused(string message, string reason, int count);

    [LoggerMessage(LogLevel.Warning, "{Count} entries of {Message} of user {User} were set aside, the first {Subject}: {Reason}")]
    private partial void LogEntries(int count, string message, string? user, string subject, string reason);

    private sealed record Row(string Subject, string Reason, string? Owner)
    {
        public string? Queue { get; init; }

        public string? State { get; init; }

        public int Count { get; init; } = 1;
    }

    /// <summary>Refused messages of one user and kind.</summary>
    private sealed class Refusals
    {
        private readonly Lock _lock = new();
        private long? _notedAt;
        private int _count;

        /// <summary>Counts a refusal. Returns the number to record now, or null.</summary>
        public int? Take(TimeProvider time, TimeSpan again)
        {
            lock (_lock)
            {
                _count++;
                if (_notedAt is { } at && time.GetElapsedTime(at) < again)
                    return null;
                (_notedAt, var count, _count) = (time.GetTimestamp(), _count, 0);
                return count;
            }
        }
    }
}
