using TaskQueue.Bus.Health;
using TaskQueue.Contracts;

namespace TaskQueue.Bus.Senders;

/// <summary>Who may send a message.</summary>
public enum SenderRole
{
    /// <summary>This server's own processes.</summary>
    Engine,

    /// <summary>Users that submit tasks.</summary>
    Producer,

    /// <summary>Users that report on tasks which they consume.</summary>
    Worker,

    /// <summary>Users that report on tasks which they may have taken over HTTP.</summary>
    EventWorker,
}

/// <summary>Marks a message that others than the engine may send.</summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class SentByAttribute(SenderRole role) : Attribute
{
    /// <summary>Who may send it.</summary>
    public SenderRole Role { get; } = role;
}

/// <summary>Who may send which message.</summary>
public static class SenderRoles
{
    /// <summary>Who may send messages of a type: the engine alone, unless the type says otherwise.</summary>
    public static SenderRole Of(Type message)
    {
        ArgumentNullException.ThrowIfNull(message);
        return message == typeof(SubmitTasks) ? SenderRole.Producer
            : message == typeof(ReportTasks) ? SenderRole.Worker
            : (Attribute.GetCustomAttribute(message, typeof(SentByAttribute)) as SentByAttribute)?.Role ?? SenderRole.Engine;
    }

    /// <summary>
    /// Refused canaries are not reported: they have no effect, and a queue that takes any JSON reads every message as one.
    /// </summary>
    internal static bool IsSilent(Type message) => message == typeof(Canary);
}
