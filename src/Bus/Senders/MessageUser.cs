using MassTransit;

namespace TaskQueue.Bus.Senders;

/// <summary>The user of a message: the property <c>user_id</c>, which RabbitMQ compares with the user of the connection.</summary>
public static class MessageUser
{
    /// <summary>The user of a received message; null if it names none.</summary>
    public static string? Of(PipeContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.TryGetPayload<RabbitMqBasicConsumeContext>(out var delivery) && delivery.Properties.IsUserIdPresent()
            && delivery.Properties.UserId is { Length: > 0 } user ? user : null;
    }

    /// <summary>Sets the user on everything that a bus sends and publishes.</summary>
    internal static void SignWith(this IBusFactoryConfigurator bus, string user)
    {
        bus.ConfigureSend(pipe => pipe.UseExecute(context => Sign(context, user)));
        bus.ConfigurePublish(pipe => pipe.UseExecute(context => Sign(context, user)));
    }

    private static void Sign(SendContext context, string user)
    {
        if (context.TryGetPayload<RabbitMqSendContext>(out var message))
            message.BasicProperties.UserId = user;
    }
}
