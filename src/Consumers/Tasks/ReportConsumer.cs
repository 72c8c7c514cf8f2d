using MassTransit;
using Microsoft.Extensions.Logging;
using TaskQueue.Bus.Senders;
using TaskQueue.Contracts;
using TaskQueue.Engine;
using TaskQueue.Engine.Failures;
using TaskQueue.Engine.Logs;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Workers;

namespace TaskQueue.Consumers.Tasks;

/// <summary>
/// Applies reports of bus workers to tasks in their queues. Unreadable entries are set aside; late or repeated entries are refused
/// by the state machine and only logged.
/// </summary>
internal sealed partial class ReportConsumer(
    TaskService taskService, WorkerRegistry workers, ReportRules rules, ReportMembers members, QueueCatalog catalog, SetAside aside,
    ILogger<ReportConsumer> logger)
    : IConsumer<ReportTasks>
{
    /// <summary>Queues of a worker that are looked up.</summary>
    private const int MaxQueues = 100;

    public async Task Consume(ConsumeContext<ReportTasks> context)
    {
        var sender = context.Sender();
        var report = context.Message;
        if (ReportRules.Problem(report) is { } unusable)
            throw new RefusedMessageException(unusable);
        members.Note(report);
        var refused = new List<RefusedEntry>();
        var commands = new List<TaskCommand>();
        var worker = report.Worker;
        workers.Seen(new WorkerKey(sender.Access.Tenant, sender.Access.Credential, worker),
            new WorkerContact(WorkerContact.Bus, sender.Access.Tenant));
        if (report.Queues is { Count: > 0 } queues)
            await WarnAsync(worker, queues);
        Add(report.Started, ReportRules.Problem, s => (s.TaskId, s.Attempt), s =>
            taskService.Start(s.TaskId, s.Attempt, worker, ToMs(s.LeaseSeconds)));
        Add(report.Heartbeats, ReportRules.Problem, h => (h.TaskId, h.Attempt), h =>
            WithLogs(taskService.Renew(h.TaskId, h.Attempt, worker, progress: h.Progress), h.Logs));
        Add(report.Outcomes, rules.Problem, o => (o.TaskId, o.Attempt), o => ToCommand(o, worker));
        if (commands.Count > 0)
            await taskService.ApplyAsync(commands, sender.Access);
        foreach (var late in commands.OfType<AttemptCommand>()
            .Where(c => c.CommandResult is not (CommandResult.Applied or CommandResult.Duplicate)))
            LogRefused(late.GetType().Name, late.CorrelationId, late.Attempt, worker, late.CommandResult);
        await aside.EntriesAsync(nameof(ReportTasks), sender.User, owner: null, refused);

        void Add<T>(
            IReadOnlyList<T?>? entries, Func<T, string?> problemOf, Func<T, (Guid Id, int Attempt)> keyOf, Func<T, TaskCommand> toCommand)
            where T : class
        {
            foreach (var entry in entries ?? [])
            {
                if (entry is null)
                    refused.Add(new RefusedEntry($"{context.MessageId}:{typeof(T).Name}", "the entry is null"));
                else if (problemOf(entry) is { } problem)
                    refused.Add(new RefusedEntry($"{keyOf(entry).Id}:{keyOf(entry).Attempt}:{typeof(T).Name}", problem));
                else
                    commands.Add(toCommand(entry));
            }
        }
    }

    /// <summary>Warns of queues that a worker waits for, although nothing is ever dispatched to them.</summary>
    private async Task WarnAsync(string worker, IReadOnlyList<string?> queues)
    {
        var silent = new List<string>();
        foreach (var queue in queues.Where(QueueNames.IsValid).OfType<string>().Take(MaxQueues))
        {
            if (await catalog.LookUpAsync(queue) is not { Delivery: Delivery.Push })
                silent.Add(queue);
        }

        if (silent.Count > 0)
            LogSilent(worker, string.Join(", ", silent));
    }

    private AttemptCommand ToCommand(AttemptOutcome outcome, string worker)
    {
        AttemptCommand command = outcome switch
        {
            { SnoozeSeconds: { } seconds } => taskService.Snooze(outcome.TaskId, outcome.Attempt, worker, TimeSpan.FromSeconds(seconds)),
            { Error: { } error } => taskService.Fail(outcome.TaskId, outcome.Attempt, worker, error, outcome.Retryable),
            _ => taskService.Complete(outcome.TaskId, outcome.Attempt, worker, outcome.Result),
        };
        if (command is FailTask fail)
        {
            (fail.ErrorType, fail.Stack) = (FailureRules.BoundType(outcome.ErrorType), FailureRules.BoundStack(outcome.Stack));
            fail.RetryAfter = outcome.RetryAfterSeconds is { } wait ? TimeSpan.FromSeconds(wait) : null;
        }

        return WithLogs(command, outcome.Logs);
    }

    /// <summary>Adds what the worker logged. What exceeds the limits is dropped: an outcome must not be lost for it.</summary>
    private static AttemptCommand WithLogs(AttemptCommand command, IReadOnlyList<AttemptLogLine?>? logs)
    {
        command.Logs = TaskLogRules.Bound(logs?.OfType<AttemptLogLine>().Where(l => l.Message is not null).Select(l => new TaskLogLine(
            Micros.Cut(l.At), TaskLogRules.ParseLevel(l.Level) ?? TaskLogLevel.Info, l.Message)));
        return command;
    }

    [LoggerMessage(LogLevel.Warning, "Worker {Worker} listens on the bus for {Queues}, from which nothing is dispatched: declare such "
        + "queues with the delivery push, or let the worker claim over HTTP")]
    private partial void LogSilent(string worker, string queues);

    private static int? ToMs(double? seconds) =>
        seconds is { } s ? (int)Math.Clamp(s * 1000, LeaseLimits.MinMs, LeaseLimits.MaxMs) : null;

    [LoggerMessage(LogLevel.Information, "{Command} of task {TaskId} attempt {Attempt} by {Worker} was refused: {CommandResult}")]
    private partial void LogRefused(string command, Guid taskId, int attempt, string worker, CommandResult commandResult);
}
