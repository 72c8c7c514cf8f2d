using MassTransit.Context;
using MassTransit.Serialization;
using RabbitMQ.Client;

namespace TaskQueue.Bus.Dispatch;

/// <summary>A message as MassTransit sends it, for channels of our own.</summary>
/// <param name="Properties">Its AMQP properties.</param>
/// <param name="Body">The serialized envelope.</param>
internal sealed record BusMessage(BasicProperties Properties, ReadOnlyMemory<byte> Body)
{
    /// <summary>A message without meaning.</summary>
    public static BusMessage OfZeros(int bytes, string? user) => new(new BasicProperties { UserId = user }, new byte[bytes]);

    /// <summary>Serializes a message.</summary>
    /// <param name="message">The message.</param>
    /// <param name="user">The user of the connection, which the broker compares.</param>
    public static BusMessage Of<T>(T message, string? user)
        where T : class
    {
        var context = new MessageSendContext<T>(message) { Serializer = SystemTextJsonMessageSerializer.Instance };
        var properties = new BasicProperties
        {
            ContentType = SystemTextJsonMessageSerializer.JsonContentType.MediaType,
            MessageId = context.MessageId.ToString(),
            Persistent = true,
            UserId = user,
        };
        return new(properties, context.Body.GetBytes());
    }
}
