using System.Text;
using System.Text.Json;
using RabbitMQ.Client;
using Shouldly;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>A worker that speaks AMQP and publishes events of its tasks to the queue the server names.</summary>
internal sealed class BellaBus : IAsyncDisposable
{
    private readonly IConnection _connection;
    private readonly IChannel _channel;
    private readonly string _topic;

    private BellaBus(IConnection connection, IChannel channel, string topic)
    {
        _connection = connection;
        _channel = channel;
        _topic = topic;
    }

    public static async Task<BellaBus> ConnectAsync(BellaServer server)
    {
        var eventbus = (await server.GetAsync("eventbus")).Ok();
        var uri = new UriBuilder(eventbus.GetProperty("url").GetString()!) { UserName = "guest", Password = "guest" }.Uri;
        var connection = await new ConnectionFactory { Uri = uri }.CreateConnectionAsync();
        var channel = await connection.CreateChannelAsync(
            new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true));
        return new BellaBus(connection, channel, eventbus.GetProperty("topic").GetString()!);
    }

    /// <param name="task">The taken task.</param>
    /// <param name="name">Name of the event.</param>
    /// <param name="payload">JSON.</param>
    public async Task PublishAsync(JsonElement task, string name, string payload)
    {
        var body = Encoding.UTF8.GetBytes(
            $$"""{"name":"{{name}}","from":"","payload":{{payload}},"context":"","timestamp":"1762867000123"}""");
        var instance = task.GetProperty("instance_id").GetString();
        instance.ShouldNotBeNullOrEmpty();
        // Mandatory: a missing queue is a failure here instead of a lost message.
        await _channel.BasicPublishAsync("", _topic + instance, mandatory: true,
            new BasicProperties { ContentType = "application/json", UserId = "guest" }, body);
    }

    public async ValueTask DisposeAsync()
    {
        await _channel.DisposeAsync();
        await _connection.DisposeAsync();
    }
}
