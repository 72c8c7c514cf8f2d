using System.Diagnostics;
using TaskQueue.Client;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Consumers.Workers;

/// <summary>Runs the tasks of an in-process worker within their traces.</summary>
internal abstract class EngineHandler : IAttemptHandler
{
    public Activity? StartActivity(WorkItem item) =>
        TaskTrace.StartProcess(item.Queue, item.Id, item.Attempt, item.Name, ((EngineItem)item).Headers);

    public abstract Task<TaskOutcome> RunAsync(Attempt attempt);
}
