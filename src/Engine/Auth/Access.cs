using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Auth;

/// <summary>Which tasks a caller may see and touch. What is out of sight does not exist for the caller.</summary>
/// <param name="Owner">Tasks of this owner only; null is everybody's.</param>
/// <param name="Queues">Tasks of queues whose names begin with one of these; null is all queues.</param>
public sealed record Access(string? Owner = null, IReadOnlyList<string>? Queues = null)
{
    /// <summary>Everything: an administrator, or a server without keys.</summary>
    public static readonly Access All = new();

    /// <summary>Whether a queue may be used.</summary>
    public bool Allows(string queue) => Queues is null || Queues.Any(prefix => queue.StartsWith(prefix, StringComparison.Ordinal));

    internal bool Sees(TaskState task) => (Owner is null || Owner == task.Owner) && Allows(task.Queue);
}
