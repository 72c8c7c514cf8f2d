using TaskQueue.Bus.Health;
using TaskQueue.Contracts;

namespace TaskQueue.Bus.Senders;

/// <summary>The role of a message's sender.</summary>
public enum SenderRole
{
    /// <summary>This server's own processes.</summary>
    Engine,

    /// <summary>Users that submit tasks.</summary>
    Producer,

    /// <summary>Users that report on tasks which they consume from the bus.</summary>
    Worker,

    /// <summary>Users that report on tasks which they may have claimed over HTTP.</summary>
    EventWorker,
}

/// <summary>Marks a message that others besides the engine may send.</summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class SentByAttribute(SenderRole role) : Attribute
{
    /// <summary>The role that may send it.</summary>
    public SenderRole Role { get; } = role;
}

/// <summary>Maps messages to the roles that may send them.</summary>
public static class SenderRoles
{
    /// <summary>The role that may send messages of a type: the engine, unless the type declares another.</summary>
    public static SenderRole Of(Type message)
    {
        ArgumentNullException.ThrowIfNull(message);
        return message == typeof(SubmitTasks) ? SenderRole.Producer
            : message == typeof(ReportTasks) ? SenderRole.Worker
            : (Attribute.GetCustomAttribute(message, typeof(SentByAttribute)) as SentByAttribute)?.Role ?? SenderRole.Engine;
    }

    /// <summary>
    /// Refused canaries are not reported: they have no effect, and a queue that accepts any JSON parses every message as one.
    /// </summary>
    internal static bool IsSilent(Type message) => message == typeof(Canary);
}
