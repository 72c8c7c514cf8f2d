using System.Runtime.Serialization;
using System.Text.Json;
using MassTransit;
using MassTransit.Context;
using MassTransit.Middleware;
using MassTransit.Middleware.Rescue;
using MassTransit.Transports;
using RabbitMQ.Client;
using TaskQueue.Bus.Connection;

namespace TaskQueue.Bus.Senders;

/// <summary>
/// Handles messages that cannot be read or consumed. Those of a named queue are moved to its <c>_error</c> queue, or to <c>_skipped</c> if
/// no consumer takes their type; those of a process's exclusive queues are dropped. All are counted and quarantined.
/// </summary>
internal static class FailedMessages
{
    /// <summary>
    /// Header of a moved message: the user that sent it. The user of a message itself can only be that of the connection.
    /// </summary>
    public const string UserHeader = "taskqueue-user";

    /// <summary>Moves failed messages of an endpoint, sent as the user of this process.</summary>
    public static void Move(IReceiveEndpointConfigurator endpoint, IRegistrationContext context)
    {
        var (aside, user) = Services(context);
        endpoint.PublishFaults = false;
        endpoint.ConfigureError(pipe =>
        {
            pipe.UseFilter(new NoteFailed(aside, "_error"));
            pipe.UseFilter(new InOwnName<ExceptionReceiveContext>(user, (failed, own) => new FailedInOwnName(failed, own)));
            pipe.UseFilter(new ErrorTransportFilter());
        });
        endpoint.ConfigureDeadLetter(pipe =>
        {
            pipe.UseFilter(new NoteSkipped(aside, "_skipped"));
            pipe.UseFilter(new InOwnName<ReceiveContext>(user, (skipped, own) => new ReceivedInOwnName(skipped, own)));
            pipe.UseFilter(new DeadLetterTransportFilter());
        });
    }

    /// <summary>
    /// Releases unfinished messages of an endpoint to the broker for another process. Goes before <see cref="Move"/>, which then moves only
    /// unreadable messages.
    /// </summary>
    public static void Requeue(IReceiveEndpointConfigurator endpoint) =>
        endpoint.ConfigureError(pipe => pipe.UseFilter(new RequeueFilter()));

    /// <summary>Drops failed messages of an endpoint, which have no value later.</summary>
    public static void Drop(IReceiveEndpointConfigurator endpoint, IRegistrationContext context)
    {
        var (aside, _) = Services(context);
        endpoint.PublishFaults = false;
        endpoint.ConfigureError(pipe => pipe.UseFilter(new NoteFailed(aside, null)));
        endpoint.ConfigureDeadLetter(pipe => pipe.UseFilter(new NoteSkipped(aside, null)));
    }

    /// <summary>
    /// Moves a refused message to the error queue of its endpoint, if it has one. An exception would make MassTransit send a fault to
    /// whatever address the message names.
    /// </summary>
    public static async Task MoveAsync(ReceiveContext context, string? user, Exception reason)
    {
        if (!context.TryGetPayload<IErrorTransport>(out var transport))
            return;
        ExceptionReceiveContext failed = new RescueExceptionReceiveContext(context, reason);
        if (user is not null && context.TryGetPayload<RabbitMqBasicConsumeContext>(out var delivery))
            failed = new FailedInOwnName(failed, new Renamed(delivery, user));
        await transport.Send(failed);
    }

    private static (SetAside Aside, string? User) Services(IRegistrationContext context) =>
        ((SetAside)context.GetService(typeof(SetAside))!, ((BusAddress)context.GetService(typeof(BusAddress))!).User);

    private static string NameOf(ReceiveContext context) => Uri.UnescapeDataString(context.InputAddress.Segments[^1]);

    private static Task NoteAsync(SetAside aside, ReceiveContext context, string reason, string? suffix)
    {
        var name = NameOf(context);
        // The names of exclusive queues differ each time.
        return suffix is null
            ? aside.MessageAsync("own queue", MessageUser.Of(context), reason, "dropped")
            : aside.MessageAsync(name, MessageUser.Of(context), reason, $"moved to {name}{suffix}");
    }

    private sealed class RequeueFilter : IFilter<ExceptionReceiveContext>
    {
        private readonly RethrowErrorTransportFilter _rethrow = new RethrowErrorTransportFilter();

        public void Probe(ProbeContext context) => context.CreateFilterScope("giveBackRead");

        public Task Send(ExceptionReceiveContext context, IPipe<ExceptionReceiveContext> next) =>
            context.Exception is SerializationException or JsonException ? next.Send(context) : _rethrow.Send(context, next);
    }

    private sealed class NoteFailed(SetAside aside, string? suffix) : IFilter<ExceptionReceiveContext>
    {
        public void Probe(ProbeContext context) => context.CreateFilterScope("noteFailed");

        public async Task Send(ExceptionReceiveContext context, IPipe<ExceptionReceiveContext> next)
        {
            await NoteAsync(aside, context, context.Exception.Message, suffix);
            if (!context.IsFaulted)
                await context.NotifyFaulted(context.Exception); // otherwise it would also be skipped
            await next.Send(context);
        }
    }

    private sealed class NoteSkipped(SetAside aside, string? suffix) : IFilter<ReceiveContext>
    {
        public void Probe(ProbeContext context) => context.CreateFilterScope("noteSkipped");

        public async Task Send(ReceiveContext context, IPipe<ReceiveContext> next)
        {
            await NoteAsync(aside, context, "no consumer of this queue takes its type", suffix);
            await next.Send(context);
        }
    }

    /// <summary>Replaces the user: the broker closes the channel when a message is forwarded under its sender's name.</summary>
    private sealed class InOwnName<T>(string? user, Func<T, RabbitMqBasicConsumeContext, T> rename) : IFilter<T>
        where T : class, ReceiveContext
    {
        public void Probe(ProbeContext context) => context.CreateFilterScope("inOwnName");

        public Task Send(T context, IPipe<T> next) =>
            user is not null && context.TryGetPayload<RabbitMqBasicConsumeContext>(out var delivery)
                ? next.Send(rename(context, new Renamed(delivery, user)))
                : next.Send(context);
    }

    private sealed class FailedInOwnName(ExceptionReceiveContext failed, RabbitMqBasicConsumeContext own)
        : ReceivedInOwnName(failed, own), ExceptionReceiveContext
    {
        public Exception Exception => failed.Exception;

        public DateTime ExceptionTimestamp => failed.ExceptionTimestamp;

        public ExceptionInfo ExceptionInfo => failed.ExceptionInfo;

        public SendHeaders ExceptionHeaders => failed.ExceptionHeaders;
    }

    private class ReceivedInOwnName(ReceiveContext received, RabbitMqBasicConsumeContext own) : ReceiveContextProxy(received)
    {
        public override bool TryGetPayload<TPayload>(out TPayload payload)
            where TPayload : class
        {
            if (own is not TPayload found || typeof(TPayload) != typeof(RabbitMqBasicConsumeContext))
                return base.TryGetPayload(out payload);
            payload = found;
            return true;
        }
    }

    private sealed class Renamed : RabbitMqBasicConsumeContext
    {
        private readonly RabbitMqBasicConsumeContext _delivery;

        public Renamed(RabbitMqBasicConsumeContext delivery, string user)
        {
            _delivery = delivery;
            var headers = new Dictionary<string, object?>(delivery.Properties.Headers ?? new Dictionary<string, object?>());
            if (delivery.Properties.IsUserIdPresent())
                headers[UserHeader] = delivery.Properties.UserId;
            Properties = new BasicProperties(delivery.Properties) { UserId = user, Headers = headers };
        }

        public string Exchange => _delivery.Exchange;

        public string? RoutingKey => _delivery.RoutingKey;

        public string ConsumerTag => _delivery.ConsumerTag;

        public ulong DeliveryTag => _delivery.DeliveryTag;

        public IReadOnlyBasicProperties Properties { get; }
    }
}
