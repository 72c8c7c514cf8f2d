using Shouldly;
using TaskQueue.Engine.Tasks;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>How many requests an upstream has at once, and which upstream has them.</summary>
public abstract partial class UpstreamTests
{
    [Fact]
    public async Task The_number_of_concurrent_requests_is_found()
    {
        var load = 0;
        stack["adaptive"].Usual = async context => // beyond 8 at once it is only slower
        {
            var latency = TimeSpan.FromMilliseconds(Math.Max(100, 100 * Interlocked.Increment(ref load) / 8));
            try
            {
                await Task.Delay(latency, TimeProvider.System, context.RequestAborted);
            }
            finally
            {
                Interlocked.Decrement(ref load);
            }

            await TestUpstream.SayAsync(context, 200, "{}");
        };

        List<Guid> ids = [];
        foreach (var some in Enumerable.Range(0, 600).Chunk(50))
            ids.AddRange(await Task.WhenAll(some.Select(_ => stack.SubmitAsync("adaptive", t => t))));

        foreach (var id in ids)
            await stack.StateAsync(id, TaskStates.Completed);
        // On a busy machine the best number is another, but neither the least nor the most that may be tried.
        stack["adaptive"].MostAtOnce.ShouldBeGreaterThanOrEqualTo(8);
        (await MetricsText.ReadAsync(stack.Consumers.Http)).Sum("taskqueue_upstream_concurrency", ("endpoint", "/v1/adaptive"))
            .ShouldBeInRange(2, 63);
    }

    [Fact]
    public async Task Upstreams_of_one_endpoint_share_its_tasks_by_weight()
    {
        for (var n = 0; n < 24; n++)
            (await stack.ResultAsync(await stack.PutAsync("heavy"))).Whole("status_code").ShouldBe(200);

        stack["heavy"].Requests.Count.ShouldBeInRange(15, 21);
        stack["light"].Requests.Count.ShouldBe(24 - stack["heavy"].Requests.Count);
    }
}
