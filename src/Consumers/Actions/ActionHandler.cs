using Microsoft.Extensions.Options;
using TaskQueue.Client;
using TaskQueue.Consumers.Workers;

namespace TaskQueue.Consumers.Actions;

/// <summary>Runs built-in actions.</summary>
internal sealed class ActionHandler(IOptions<ActionOptions> options, TimeProvider time) : EngineHandler
{
    public override async Task<TaskOutcome> RunAsync(Attempt attempt)
    {
        if (options.Value.SimulatedWorkMs > 0)
            await Task.Delay(TimeSpan.FromMilliseconds(options.Value.SimulatedWorkMs), time, attempt.Cancelled);
        try
        {
            return TaskOutcome.CompletedUnchecked(BuiltInActions.Run(attempt.Item.Payload));
        }
        catch (ActionFailedException fault)
        {
            return TaskOutcome.Failed(fault.Message);
        }
    }
}
