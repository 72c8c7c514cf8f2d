using System.Globalization;
using System.Text;
using TaskQueue.Contracts;
using TaskQueue.Engine.Queues;
using TaskQueue.Http.Errors;

namespace TaskQueue.Adapters.Moab;

/// <summary>Validates single fields (moab.md 2). Each error names the field.</summary>
internal static class MoabFields
{
    public const long NanosecondsPerTick = 100;
    public const int DefaultLifeSeconds = 14 * 24 * 3600;
    public const int MaxPayloadBytes = 65_536;
    public const int MaxEntries = 50;

    private const int MaxDescription = 1024, MaxKey = 256;
    private const int MinLifeSeconds = 5, MinKeepalive = 5, MaxKeepalive = 60, MaxIntervals = 21, MaxInterval = 900;
    private const int MaxWait = 30;
    private const string WaitHeader = "taskqueue-wait-seconds";
    private static readonly TimeSpan Horizon = TimeSpan.FromDays(14);

    public static ApiException Wrong(string message, IReadOnlyDictionary<string, string>? details = null) =>
        new(400, "INVALID_ARGUMENT", message, details);

    /// <summary>Validates the name of a queue or a schedule.</summary>
    public static string Name(string? name, string field) =>
        QueueNames.IsValid(name) ? name! : throw Wrong($"{field} must be {QueueNames.Rule}");

    public static string Description(string? text) =>
        text is null or { Length: <= MaxDescription } ? Text(text, "description") ?? ""
            : throw Wrong($"description must have at most {MaxDescription} characters");

    /// <summary>Validates a key; an empty key becomes null.</summary>
    public static string? Key(string? key, string field) =>
        key is null or { Length: <= MaxKey } ? Text(key, field) : throw Wrong($"{field} must have at most {MaxKey} characters");

    /// <summary>Converts a payload to the engine's form.</summary>
    public static string Payload(string? text, string? base64, string field)
    {
        if (!string.IsNullOrEmpty(text) && !string.IsNullOrEmpty(base64))
            throw Wrong($"{field} and {field}_base64 cannot both be given");
        if (string.IsNullOrEmpty(base64))
            return Encoding.UTF8.GetByteCount(text ?? "") <= MaxPayloadBytes ? MoabPayload.FromText(text ?? "") : throw TooLarge(field);
        var bytes = MoabPayload.FromBase64(base64) ?? throw Wrong($"{field}_base64 must be standard base64");
        return bytes.Length <= MaxPayloadBytes ? MoabPayload.FromBytes(bytes) : throw TooLarge(field);
    }

    /// <summary>Validates a queue's keepalive timeout, in seconds.</summary>
    public static int Keepalive(long? seconds, string field) =>
        seconds is >= MinKeepalive and <= MaxKeepalive ? (int)seconds
            : throw Wrong($"{field} must be {MinKeepalive} to {MaxKeepalive} seconds");

    /// <summary>Validates a keepalive timeout that overrides another; null if not given.</summary>
    public static int? KeepaliveOverride(long? seconds, string field) =>
        seconds is null or 0 ? null
            : seconds is >= MinKeepalive and <= MaxKeepalive ? (int)seconds
            : throw Wrong($"{field} must be 0, or {MinKeepalive} to {MaxKeepalive} seconds");

    /// <summary>Validates a retention or expiry time, in seconds; null if not given.</summary>
    public static long? Life(long? seconds, string field) =>
        seconds is null or 0 ? null
            : seconds is >= MinLifeSeconds and <= DefaultLifeSeconds ? seconds
            : throw Wrong($"{field} must be {MinLifeSeconds} to {DefaultLifeSeconds} seconds");

    /// <summary>How long a Dequeue waits for tasks; Moab's own never does.</summary>
    public static TimeSpan Wait(HttpContext context) =>
        context.Request.Headers[WaitHeader].ToString() is not { Length: > 0 } text ? TimeSpan.Zero
            : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) && seconds <= MaxWait
                ? TimeSpan.FromSeconds(seconds) : throw Wrong($"{WaitHeader} must be 0 to {MaxWait} seconds");

    /// <summary>Validates a count; 0 if not given.</summary>
    public static int Count(long? number, string field, int max = int.MaxValue) =>
        number is null ? 0 : number >= 0 && number <= max ? (int)number : throw Wrong($"{field} must be 0 to {max}");

    /// <summary>Validates a due time; null: now. The engine treats past times as now too.</summary>
    public static DateTime? ScheduledAt(long? nanoseconds, DateTime now, string field)
    {
        var time = Time(nanoseconds, field);
        return time <= now + Horizon || time is null ? time : throw Wrong($"{field} must be at most {Horizon.TotalDays} days from now");
    }

    /// <summary>Converts Unix nanoseconds; 0 becomes null.</summary>
    public static DateTime? Time(long? nanoseconds, string field) =>
        nanoseconds switch
        {
            null or 0 => null,
            < 0 => throw Wrong($"{field} must be 0 or a time in Unix nanoseconds"),
            _ => DateTime.UnixEpoch.AddTicks(nanoseconds.Value / NanosecondsPerTick),
        };

    /// <summary>
    /// Converts to Unix nanoseconds; null becomes 0, and a time after the year 2262, which they cannot express, the last one.
    /// </summary>
    public static long Nanoseconds(DateTime? time) =>
        time is { } t ? Math.Min(t.Ticks - DateTime.UnixEpoch.Ticks, long.MaxValue / NanosecondsPerTick) * NanosecondsPerTick : 0;

    /// <summary>Validates a retry strategy.</summary>
    public static void Retry(MoabRetryStrategy? strategy, string field)
    {
        var intervals = strategy?.RetryIntervalsInSeconds ?? [];
        if (intervals.Count > MaxIntervals || intervals.Any(i => i is < 0 or > MaxInterval))
            throw Wrong($"{field}.retry_intervals_in_seconds must have at most {MaxIntervals} intervals of 0 to {MaxInterval} seconds");
    }

    /// <summary>Retries of a task or a schedule: an absent strategy means the queue's, an empty one means no retry (moab.md 6).</summary>
    public static (RetryPolicy? Retry, int? MaxAttempts) Retries(MoabRetryStrategy? strategy) =>
        strategy is null ? (null, null)
            : strategy.RetryIntervalsInSeconds is not { Count: > 0 } intervals ? (null, 1)
            : (new RetryPolicy { Intervals = [.. intervals.Select(i => (double)i)] }, intervals.Count + 1);

    /// <summary>Parses task ids; with <paramref name="unique"/> each may occur only once.</summary>
    public static List<Guid> TaskIds(IReadOnlyList<string?>? texts, string field, bool unique = true)
    {
        if (texts is not { Count: >= 1 and <= MaxEntries })
            throw Wrong($"{field} must have 1 to {MaxEntries} entries");
        var ids = texts.Select((text, index) => TaskId(text, $"{field}[{index}]")).ToList();
        return !unique || ids.Distinct().Count() == ids.Count ? ids : throw Wrong($"{field} must name each task once");
    }

    public static Guid TaskId(string? text, string field) =>
        MoabTaskId.Parse(text ?? "") ?? throw Wrong($"{field} must be the id of a task, such as tsk_ISfFsVup2QS");

    /// <summary>Validates the entries of a batch; none may be null.</summary>
    public static List<T> Entries<T>(IReadOnlyList<T?>? entries, int max)
        where T : class =>
        entries is { Count: >= 1 } && entries.Count <= max && entries.OfType<T>().ToList() is var all && all.Count == entries.Count
            ? all
            : throw Wrong($"entries must be a list of 1 to {max} objects");

    public static int? Milliseconds(int? seconds) => seconds * 1000;

    private static ApiException TooLarge(string field) => Wrong($"{field} must have at most {MaxPayloadBytes} bytes");

    // Database text columns cannot store NUL.
    private static string? Text(string? text, string field) =>
        string.IsNullOrEmpty(text) ? null : !text.Contains('\0', StringComparison.Ordinal) ? text
            : throw Wrong($"{field} must not contain the character U+0000");
}
