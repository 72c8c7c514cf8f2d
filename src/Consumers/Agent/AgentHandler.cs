using TaskQueue.Client;
using TaskQueue.Consumers.Workers;
using TaskQueue.Engine.Queues;

namespace TaskQueue.Consumers.Agent;

/// <summary>The default processor of the agent API's queue: ends each task immediately.</summary>
internal sealed class AgentHandler(AgentProcessor processor) : EngineHandler
{
    public override Task<TaskOutcome> RunAsync(Attempt attempt) =>
        Task.FromResult(processor == AgentProcessor.Echo
            ? TaskOutcome.CompletedUnchecked(attempt.Item.Payload)
            : TaskOutcome.Failed($"no processor is registered for {attempt.Item.Name ?? "a task without a name"}"));
}
