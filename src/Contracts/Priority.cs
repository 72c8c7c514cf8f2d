namespace TaskQueue.Contracts;

/// <summary>Order among the tasks of one queue and tier; first in, first out within one priority.</summary>
public enum Priority
{
    /// <summary>Runs when nothing else waits.</summary>
    Low = 1,

    /// <summary>The default.</summary>
    Normal = 2,

    /// <summary>Before Normal.</summary>
    High = 3,

    /// <summary>Before everything.</summary>
    Critical = 4,
}
