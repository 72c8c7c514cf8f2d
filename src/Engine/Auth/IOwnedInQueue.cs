namespace TaskQueue.Engine.Auth;

/// <summary>
/// An object in a queue that belongs to a tenant: <see cref="Access.CanRead(string, string)"/> decides which callers see it.
/// </summary>
public interface IOwnedInQueue
{
    /// <summary>The owning tenant; null is no owner.</summary>
    string? Owner { get; }

    /// <summary>Base name of its queue.</summary>
    string Queue { get; }
}
