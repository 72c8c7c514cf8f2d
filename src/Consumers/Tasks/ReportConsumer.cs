using MassTransit;
using Microsoft.Extensions.Logging;
using TaskQueue.Contracts;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Consumers.Tasks;

/// <summary>Applies what bus workers report. A late or repeated entry is refused by the machine and logged, nothing more.</summary>
internal sealed partial class ReportConsumer(TaskVerbs verbs, ILogger<ReportConsumer> logger) : IConsumer<ReportTasks>
{
    public async Task Consume(ConsumeContext<ReportTasks> context)
    {
        var report = context.Message;
        var commands = new List<TaskCommand>(report.Started.Count + report.Heartbeats.Count + report.Outcomes.Count);
        commands.AddRange(report.Started.Select(s => verbs.Start(s.TaskId, s.Attempt, report.Worker, ToMs(s.LeaseSeconds))));
        commands.AddRange(report.Heartbeats.Select(h => verbs.Renew(h.TaskId, h.Attempt, report.Worker, progress: h.Progress)));
        commands.AddRange(report.Outcomes.Select(o => ToCommand(o, report.Worker)));
        await verbs.ApplyAsync(commands);
        foreach (var refused in commands.OfType<AttemptCommand>().Where(c => c.Verdict is not (Verdict.Applied or Verdict.Duplicate)))
            LogRefused(refused.GetType().Name, refused.CorrelationId, refused.Attempt, report.Worker, refused.Verdict);
    }

    private TaskCommand ToCommand(AttemptOutcome outcome, string worker) =>
        outcome switch
        {
            { SnoozeSeconds: { } seconds } => verbs.Snooze(outcome.TaskId, outcome.Attempt, worker, TimeSpan.FromSeconds(Math.Clamp(seconds, 0, TaskVerbs.MaxSnooze.TotalSeconds))),
            { Error: { } error } => verbs.Fail(outcome.TaskId, outcome.Attempt, worker, error, outcome.Retryable),
            _ => verbs.Complete(outcome.TaskId, outcome.Attempt, worker, outcome.Result),
        };

    private static int? ToMs(double? seconds) =>
        seconds is { } s ? (int)Math.Clamp(s * 1000, TaskVerbs.MinLeaseMs, TaskVerbs.MaxLeaseMs) : null;

    [LoggerMessage(LogLevel.Information, "{Command} of task {TaskId} attempt {Attempt} by {Worker} was refused: {Verdict}")]
    private partial void LogRefused(string command, Guid taskId, int attempt, string worker, Verdict verdict);
}
