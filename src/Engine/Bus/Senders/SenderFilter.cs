using MassTransit;
using TaskQueue.Contracts;
using TaskQueue.Engine.Auth;

namespace TaskQueue.Engine.Bus.Senders;

/// <summary>Who sent the message that is being consumed, as <see cref="SenderFilter{T}"/> found it.</summary>
/// <typeparam name="T">Type of the message.</typeparam>
/// <param name="User">User at the broker; null where there is none, or nobody is told apart.</param>
/// <param name="Access">What it may see and change.</param>
public sealed record Sender<T>(string? User, Access Access)
    where T : class;

/// <summary>Finds the sender of a message.</summary>
public static class SenderExtensions
{
    /// <summary>The sender of a message that a consumer of the engine has got.</summary>
    public static Sender<T> Sender<T>(this ConsumeContext<T> context)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.GetPayload<Sender<T>>();
    }
}

/// <summary>Lets messages through to the engine's consumers whose sender may send them. The others are refused.</summary>
/// <typeparam name="T">Type of the message.</typeparam>
internal sealed class SenderFilter<T>(BusAccess access, SetAside aside) : IFilter<ConsumeContext<T>>
    where T : class
{
    public void Probe(ProbeContext context) => context.CreateFilterScope("sender");

    public async Task Send(ConsumeContext<T> context, IPipe<ConsumeContext<T>> next)
    {
        var user = MessageUser.Of(context);
        var (allowed, problem) = access.Decide(SenderRoles.Of(typeof(T)), user);
        if (allowed is not null)
        {
            var sender = new Sender<T>(user, allowed);
            context.AddOrUpdatePayload(() => sender, _ => sender);
            await next.Send(context);
            return;
        }

        if (SenderRoles.IsSilent(typeof(T)))
            return;
        await aside.RefusedAsync(typeof(T).Name, user, problem!);
        if (typeof(T) == typeof(SubmitTasks))
            throw new RefusedMessageException(problem!, isRecorded: true); // to the error queue: somebody's work is in it
    }
}

/// <summary>A message is refused as a whole, and moved to the error queue of its endpoint.</summary>
/// <param name="message">Why.</param>
/// <param name="isRecorded">Whether it was counted and set aside already.</param>
public sealed class RefusedMessageException(string message, bool isRecorded = false) : Exception(message)
{
    /// <summary>Whether it was counted and set aside already.</summary>
    public bool IsRecorded { get; } = isRecorded;
}
