using MassTransit;
using TaskQueue.Bus.Connection;
using TaskQueue.Contracts;
using TaskQueue.Engine.Auth;

namespace TaskQueue.Bus.Senders;

/// <summary>The sender of the message being consumed, as found by <see cref="SenderFilter{T}"/>.</summary>
/// <typeparam name="T">Type of the message.</typeparam>
/// <param name="User">User at the broker; null if there is none, or senders are not authorized.</param>
/// <param name="Access">What it may see and change.</param>
public sealed record Sender<T>(string? User, Access Access)
    where T : class;

/// <summary>Accesses the sender of a message.</summary>
public static class SenderExtensions
{
    /// <summary>The sender of a message received by a consumer of the engine.</summary>
    public static Sender<T> Sender<T>(this ConsumeContext<T> context)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.GetPayload<Sender<T>>();
    }
}

/// <summary>
/// Passes messages to the engine's consumers only if their sender may send them. Refuses the others, and those that request a response: the
/// server would send it to any address under its own name.
/// </summary>
/// <typeparam name="T">Type of the message.</typeparam>
internal sealed class SenderFilter<T>(BusAccess access, SetAside aside, BusAddress address) : IFilter<ConsumeContext<T>>
    where T : class
{
    public void Probe(ProbeContext context) => context.CreateFilterScope("sender");

    public async Task Send(ConsumeContext<T> context, IPipe<ConsumeContext<T>> next)
    {
        var user = MessageUser.Of(context);
        var (allowed, problem) = access.Decide(SenderRoles.Of(typeof(T)), user);
        if (context.ResponseAddress is not null || context.FaultAddress is not null)
            (allowed, problem) = (null, "it requests a response, which is not supported over the bus");
        if (allowed is null)
        {
            await RefuseAsync(context, user, problem!);
            return;
        }

        var sender = new Sender<T>(user, allowed);
        context.AddOrUpdatePayload(() => sender, _ => sender);
        try
        {
            await next.Send(context);
        }
        catch (RefusedMessageException refused)
        {
            var queue = Uri.UnescapeDataString(context.ReceiveContext.InputAddress.Segments[^1]);
            await aside.MessageAsync(queue, user, refused.Message, $"moved to {queue}_error");
            await MoveAsync(context, refused.Message);
        }
    }

    private async Task RefuseAsync(ConsumeContext<T> context, string? user, string problem)
    {
        if (!SenderRoles.IsSilent(typeof(T)))
            await aside.RefusedAsync(typeof(T).Name, user, problem);
        if (typeof(T) == typeof(SubmitTasks))
            await MoveAsync(context, problem); // it contains a producer's tasks
        else
            await DoneAsync(context);
    }

    private async Task MoveAsync(ConsumeContext<T> context, string problem)
    {
        await FailedMessages.MoveAsync(context.ReceiveContext, address.User, new RefusedMessageException(problem));
        await DoneAsync(context);
    }

    /// <summary>Otherwise it would be moved as unconsumed.</summary>
    private static Task DoneAsync(ConsumeContext<T> context) => context.NotifyConsumed(TimeSpan.Zero, "refused");
}

/// <summary>A message is refused as a whole and moved to the error queue of its endpoint.</summary>
/// <param name="message">The reason.</param>
public sealed class RefusedMessageException(string message) : Exception(message);
