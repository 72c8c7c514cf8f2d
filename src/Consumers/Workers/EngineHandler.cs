using System.Diagnostics;
using TaskQueue.Client;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Consumers.Workers;

/// <summary>What a worker of this process does with its tasks, in their traces.</summary>
internal abstract class EngineHandler : IAttemptHandler
{
    public Activity? StartActivity(WorkItem item) =>
        TaskTrace.StartProcess(item.Queue, item.Id, item.Attempt, item.Name, (item as EngineItem)?.Headers);

    public abstract Task<TaskOutcome> RunAsync(Attempt attempt);
}
