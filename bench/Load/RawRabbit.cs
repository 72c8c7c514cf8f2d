using System.Diagnostics;
using System.Text;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Load;

/// <summary>
/// RabbitMQ alone, the reference of the push rate: one durable message per task, published with confirms and consumed with
/// acknowledgements through a quorum queue.
/// </summary>
internal static class RawRabbit
{
    private const int Publishers = 4;
    private const int Unconfirmed = 100; // per publisher
    private const ushort Prefetch = 250;

    /// <summary>Sends messages through the queue.</summary>
    /// <returns>Messages per second, from the first publish to the last acknowledgement.</returns>
    public static async Task<double> RunAsync(Broker broker, int messages, CancellationToken cancellationToken)
    {
        await using var publishing = await broker.ConnectAsync();
        await using var consuming = await broker.ConnectAsync();
        await using var channel = await consuming.CreateChannelAsync(cancellationToken: cancellationToken);
        await channel.QueueDeclareAsync(Broker.RawQueue, durable: true, exclusive: false, autoDelete: false,
            arguments: new Dictionary<string, object?> { ["x-queue-type"] = "quorum" }, cancellationToken: cancellationToken);
        var consumed = await ConsumeAsync(channel, messages);
        var since = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, Publishers)
            .Select(_ => Task.Run(() => PublishAsync(publishing, messages / Publishers), cancellationToken)));
        await consumed.WaitAsync(TimeSpan.FromMinutes(10), cancellationToken);
        return messages / Stopwatch.GetElapsedTime(since).TotalSeconds;
    }

    /// <summary>Starts consuming; the returned task completes with the last message.</summary>
    private static async Task<Task> ConsumeAsync(IChannel channel, int messages)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var left = messages;
        var consumer = new AsyncEventingBasicConsumer(channel);
        consumer.ReceivedAsync += async (_, message) =>
        {
            await channel.BasicAckAsync(message.DeliveryTag, multiple: false);
            if (--left == 0)
                done.TrySetResult();
        };
        await channel.BasicQosAsync(prefetchSize: 0, Prefetch, global: false);
        await channel.BasicConsumeAsync(Broker.RawQueue, autoAck: false, consumer);
        return done.Task;
    }

    private static async Task PublishAsync(IConnection connection, int messages)
    {
        await using var channel = await connection.CreateChannelAsync(
            new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true));
        var body = Encoding.UTF8.GetBytes(Bodies.Plain);
        var properties = new BasicProperties { Persistent = true, ContentType = "application/json" };
        for (var sent = 0; sent < messages; sent += Unconfirmed)
        {
            var confirms = Enumerable.Range(0, Math.Min(Unconfirmed, messages - sent))
                .Select(_ => channel.BasicPublishAsync("", Broker.RawQueue, mandatory: true, properties, body).AsTask());
            await Task.WhenAll(confirms);
        }
    }
}
