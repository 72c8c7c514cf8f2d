namespace TaskQueue.Engine.Auth;

/// <summary>Something in a queue that belongs to a tenant: <see cref="Access.CanRead(string, string)"/> decides who sees it.</summary>
public interface IOwnedInQueue
{
    /// <summary>Its tenant; null is nobody.</summary>
    string? Owner { get; }

    /// <summary>Base name of its queue.</summary>
    string Queue { get; }
}
