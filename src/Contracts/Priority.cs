namespace TaskQueue.Contracts;

/// <summary>Order of the tasks of a queue and tier; first in, first out within a priority.</summary>
public enum Priority
{
    /// <summary>Runs after all others.</summary>
    Low = 1,

    /// <summary>The default.</summary>
    Normal = 2,

    /// <summary>Runs before Normal.</summary>
    High = 3,

    /// <summary>Runs before all others.</summary>
    Critical = 4,
}
