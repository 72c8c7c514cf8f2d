using Microsoft.Extensions.Configuration;
using Shouldly;
using TaskQueue.Engine.Queues;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>Which queues upstreams serve, from their configuration.</summary>
public sealed class ServedQueuesTests
{
    private static readonly ServedQueues Served = new(new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
    {
        ["TaskQueue:Upstreams:0:Endpoint"] = "/v1/chat/completions",
        ["TaskQueue:Upstreams:1:Endpoint"] = "/v1/embeddings",
        ["TaskQueue:Upstreams:1:Queues:0"] = "small",
        ["TaskQueue:Upstreams:1:Queues:1"] = "large",
    }).Build());

    [Theory]
    [InlineData("v1-chat-completions", null, true, true)]
    [InlineData("llama", "/v1/chat/completions", false, true)]
    [InlineData("llama", "/v1/other", false, false)]
    [InlineData("llama", null, false, false)]
    [InlineData("large", null, false, true)]
    [InlineData("v1-embeddings", "/v1/embeddings", false, false)]
    public void A_queue_is_served_if_an_upstream_takes_from_it(string queue, string? endpoint, bool isOwn, bool isServed) =>
        (Served.IsOwn(queue), Served.IsServed(queue, endpoint)).ShouldBe((isOwn, isServed));
}
