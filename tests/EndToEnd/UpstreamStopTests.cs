using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Shouldly;
using TaskQueue.Engine.Tasks;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>A process that forwards tasks stops in time; others finish what it cannot.</summary>
public sealed class UpstreamStopTests(UpstreamsOnServers stack) : IClassFixture<UpstreamsOnServers>
{
    [Fact]
    public async Task Running_requests_finish_and_the_rest_is_released_without_counting_an_attempt()
    {
        var upstream = stack["stopped"];
        var first = await stack.StartAsync("consumers", ["stopped"]);
        var answer = new TaskCompletionSource();
        upstream.Next(async context =>
        {
            await answer.Task;
            await TestUpstream.SayAsync(context, 200, """{"by":"first"}""");
        });
        var ends = await SubmitAsync(1);
        upstream.Next(TestUpstream.HangAsync);
        var hangs = await SubmitAsync(2);
        upstream.Next(503, "", ("Retry-After", "600"));
        var waits = await SubmitAsync(3);
        await Eventually.UntilAsync(
            async () => (await stack.Database.GetAsync(waits)).State == TaskStates.Running,
            UpstreamStack.Patience, "the last one waits for its retry");

        var stopping = first.Services.GetRequiredService<IHostApplicationLifetime>()
            .ApplicationStopping.Register(() => answer.TrySetResult());
        var began = TimeProvider.System.GetTimestamp();
        await first.DisposeAsync();

        TimeProvider.System.GetElapsedTime(began).ShouldBeLessThan(TimeSpan.FromSeconds(10)); // after 12 the host gives up
        (await stack.StateAsync(ends, TaskStates.Completed)).Result!.ShouldContain("first");
        foreach (var id in new[] { hangs, waits })
        {
            var task = await stack.Database.GetAsync(id);
            (task.State, task.AttemptsLeft).ShouldBe((TaskStates.Pending, 1));
        }

        upstream.Broken.ShouldBe(1);
        await stopping.DisposeAsync();
        await using var second = await stack.StartAsync("consumers", ["stopped"]);
        foreach (var id in new[] { hangs, waits })
            (await stack.StateAsync(id, TaskStates.Completed)).Attempt.ShouldBe(2);
    }

    /// <summary>Submits a task and waits until the upstream has its request.</summary>
    private async Task<Guid> SubmitAsync(int requests)
    {
        var id = await stack.SubmitAsync("stopped", t => t);
        await Eventually.UntilAsync(
            () => Task.FromResult(stack["stopped"].Requests.Count == requests), UpstreamStack.Patience, "the upstream has the request");
        return id;
    }
}
