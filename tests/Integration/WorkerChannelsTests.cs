using RabbitMQ.Client;
using Shouldly;
using TaskQueue.Bus.Connection;
using TaskQueue.Bus.Dispatch;
using TaskQueue.Contracts;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>Channels of the dispatcher on a real broker.</summary>
public sealed class WorkerChannelsTests : IAsyncLifetime
{
    /// <summary>More than a broker permits on a connection by default.</summary>
    private const int Exchanges = 2100;

    private string _rabbitMq = "";

    public async Task InitializeAsync() => _rabbitMq = await TestServers.CreateVirtualHostAsync();

    public Task DisposeAsync() => TestServers.DeleteVirtualHostAsync(_rabbitMq);

    [Fact]
    public async Task More_queues_than_the_broker_permits_channels_are_served()
    {
        var factory = new ConnectionFactory { Uri = new Uri(_rabbitMq) };
        await using var connection = await factory.CreateConnectionAsync();
        await using var channel = await connection.CreateChannelAsync();
        for (var i = 0; i < Exchanges; i++)
            await channel.ExchangeDeclareAsync($"e{i}", ExchangeType.Fanout, durable: false);
        await using var channels = new WorkerChannels(new BusAddress(new Uri(_rabbitMq)), TimeProvider.System);

        for (var round = 0; round < 2; round++)
        {
            var results = await Task.WhenAll(Enumerable.Range(0, Exchanges).Select(i =>
                channels.SendAsync($"e{i}", new TasksFailed([]), demandQueue: false))).WaitAsync(TimeSpan.FromSeconds(60));
            results.ShouldAllBe(r => r.Outcome == SendOutcome.Confirmed);
        }

        for (var i = 0; i < Exchanges; i++)
            await channel.ExchangeDeleteAsync($"e{i}"); // with the virtual host it would take too long
    }
}
