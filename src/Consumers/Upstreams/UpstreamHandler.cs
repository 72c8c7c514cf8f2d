using TaskQueue.Client;
using TaskQueue.Consumers.Workers;
using TaskQueue.Engine.Draining;

namespace TaskQueue.Consumers.Upstreams;

/// <summary>Forwards tasks to an upstream. During shutdown, requests in flight continue and none is started or retried.</summary>
internal sealed class UpstreamHandler(Upstream upstream, UpstreamCalls calls, Drain drain) : EngineHandler
{
    public override async Task<TaskOutcome> RunAsync(Attempt attempt)
    {
        try
        {
            return await calls.RunAsync(upstream, attempt, ((EngineItem)attempt.Item).Claimed!, drain.Begun);
        }
        catch (OperationCanceledException) when (drain.HasBegun)
        {
            return TaskOutcome.Snooze(TimeSpan.Zero);
        }
    }
}
