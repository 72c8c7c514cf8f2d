namespace TaskQueue.Engine.Queues;

/// <summary>How tasks of a queue reach their workers.</summary>
public enum Delivery
{
    /// <summary>Workers claim over HTTP.</summary>
    Pull = 0,

    /// <summary>The engine dispatches to bus workers.</summary>
    Push = 1,
}

/// <summary>
/// A row of table <c>queues</c>: a queue that somebody declared. Tasks of an undeclared queue are pulled.
/// </summary>
public sealed class QueueRecord
{
    /// <summary>Number of the queue, part of bella's task ids.</summary>
    public int Id { get; set; }

    /// <summary>Base name, unique.</summary>
    public string Name { get; set; } = "";

    /// <summary>How its tasks reach their workers.</summary>
    public Delivery Delivery { get; set; }

    /// <summary>What bella's register said the queue serves; null for queues of other doors.</summary>
    public string? Endpoint { get; set; }

    /// <summary>When it was declared, UTC.</summary>
    public DateTime CreatedAt { get; set; }
}
