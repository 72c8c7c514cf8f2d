using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Encryption;

/// <summary>Releases claimed tasks that cannot be decrypted, so that a temporarily missing key costs them no attempt.</summary>
/// <param name="services">The service provider: the services that release a task depend on the store themselves.</param>
/// <param name="logger">Reports each task.</param>
internal sealed partial class UnreadableTasks(IServiceProvider services, ILogger<UnreadableTasks> logger)
{
    private static readonly TimeSpan Wait = TimeSpan.FromMinutes(1);

    /// <summary>Reports a claimed task and releases it in the background.</summary>
    public void PutBack(TaskState task, string problem)
    {
        LogUnreadable(task.CorrelationId, task.Queue, problem);
        _ = PutBackAsync(task.CorrelationId, task.Attempt, task.Worker);
    }

    /// <summary>Reports a task that is not dispatched.</summary>
    public void Report(TaskState task, string problem) => LogUnreadable(task.CorrelationId, task.Queue, problem);

    private async Task PutBackAsync(Guid id, int attempt, string? worker)
    {
        try
        {
            var tasks = services.GetRequiredService<TaskService>();
            await tasks.ApplyAsync([tasks.Snooze(id, attempt, worker, Wait)]);
        }
#pragma warning disable CA1031 // the lease expires instead
        catch (Exception fault)
#pragma warning restore CA1031
        {
            LogNotPutBack(fault, id);
        }
    }

    [LoggerMessage(LogLevel.Error, "Task {TaskId} of queue {Queue} cannot be given to a worker: {Problem}")]
    private partial void LogUnreadable(Guid taskId, string queue, string problem);

    [LoggerMessage(LogLevel.Warning, "Cannot release task {TaskId}; it waits until its lease expires")]
    private partial void LogNotPutBack(Exception fault, Guid taskId);
}
