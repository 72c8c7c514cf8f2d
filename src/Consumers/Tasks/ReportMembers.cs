using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using TaskQueue.Contracts;
using TaskQueue.Engine;

namespace TaskQueue.Consumers.Tasks;

/// <summary>
/// Warns of members that reports do not have, once for each name: a misspelled one has no effect. The report is applied nevertheless,
/// because without it the work would be done again.
/// </summary>
internal sealed partial class ReportMembers(ILogger<ReportMembers> logger)
{
    /// <summary>Names remembered; further ones are not logged.</summary>
    private const int MaxNames = 1000;

    private static readonly Kind Report = new("a report", typeof(ReportTasks)), Started = new("a start", typeof(AttemptStarted)),
        Heartbeat = new("a heartbeat", typeof(AttemptHeartbeat)), Outcome = new("an outcome", typeof(AttemptOutcome)),
        Line = new("a line of a log", typeof(AttemptLogLine));

    private readonly ConcurrentDictionary<(string Kind, string Name), bool> _noted = new();

    /// <summary>Entries, and even lists, of a message may be null.</summary>
    public void Note(ReportTasks report)
    {
        var worker = report.Worker;
        Note(Report, report.Unknown, worker);
        foreach (var started in (IEnumerable<AttemptStarted?>?)report.Started ?? [])
            Note(Started, started?.Unknown, worker);
        foreach (var heartbeat in (IEnumerable<AttemptHeartbeat?>?)report.Heartbeats ?? [])
        {
            Note(Heartbeat, heartbeat?.Unknown, worker);
            Note(heartbeat?.Logs, worker);
        }

        foreach (var outcome in (IEnumerable<AttemptOutcome?>?)report.Outcomes ?? [])
        {
            Note(Outcome, outcome?.Unknown, worker);
            Note(outcome?.Logs, worker);
        }
    }

    private void Note(IReadOnlyList<AttemptLogLine?>? logs, string worker)
    {
        foreach (var line in logs ?? [])
            Note(Line, line?.Unknown, worker);
    }

    private void Note(Kind kind, JsonObject? unknown, string worker)
    {
        if (unknown is null)
            return;
        foreach (var name in UnknownMembers.In(unknown))
        {
            if (_noted.Count < MaxNames && _noted.TryAdd((kind.Name, name), true))
                LogUnknown(name, kind.Name, worker, Nearest.Hint(name, kind.Members));
        }
    }

    [LoggerMessage(LogLevel.Warning, "{Member} is not a member of {Kind}, and was ignored in one of worker {Worker}{Hint}")]
    private partial void LogUnknown(string member, string kind, string worker, string hint);

    private sealed record Kind(string Name, IReadOnlyList<string> Members)
    {
        public Kind(string name, Type type)
            : this(name, UnknownMembers.NamesOf(type))
        {
        }
    }
}
