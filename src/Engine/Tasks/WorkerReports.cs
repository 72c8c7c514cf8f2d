using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Workers;

namespace TaskQueue.Engine.Tasks;

/// <summary>Workers as they are known from their reports.</summary>
public static class WorkerReports
{
    /// <summary>The worker that sent an accepted report on an attempt; null for another command, or if it was refused.</summary>
    public static string? Sender(TaskCommand command) =>
        command is not { CommandResult: CommandResult.Applied } ? null
        : command is StartTask start ? start.Worker
        : command is AttemptCommand report ? report.Worker ?? report.Holder
        : null;

    /// <summary>Whether a worker that sent one of the reports is to drain.</summary>
    public static bool IsAnyDraining(WorkerRegistry workers, IReadOnlyList<TaskCommand> commands, Access access)
    {
        string? last = null;
        foreach (var command in commands)
        {
            if (Sender(command) is not { } worker || worker == last)
                continue;
            last = worker;
            if (workers.IsDraining(new WorkerKey(access.Tenant, access.Credential, worker)))
                return true;
        }

        return false;
    }

    /// <summary>Records the senders of reports. Usually all reports of a list are of one worker.</summary>
    internal static void Note<T>(WorkerRegistry workers, IReadOnlyList<T> commands, Access access)
        where T : TaskCommand
    {
        string? last = null;
        foreach (var command in commands)
        {
            if (Sender(command) is not { } worker || worker == last)
                continue;
            last = worker;
            workers.Seen(new WorkerKey(access.Tenant, access.Credential, worker))?.WorksOn(command.Queue);
        }
    }
}
