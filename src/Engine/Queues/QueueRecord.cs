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
/// A row of table <c>queues</c>: a queue that somebody declared. Tasks of an undeclared queue are pulled, under the
/// default settings.
/// </summary>
public sealed class QueueRecord
{
    /// <summary>Number of the queue, part of bella's task ids.</summary>
    public int Id { get; set; }

    /// <summary>Base name, unique.</summary>
    public string Name { get; set; } = "";

    /// <summary>How its tasks reach their workers; never changes.</summary>
    public Delivery Delivery { get; set; }

    /// <summary>What bella's register said the queue serves; null for queues of other APIs.</summary>
    public string? Endpoint { get; set; }

    /// <summary>Who declared it, where that was known; null is everybody's.</summary>
    public string? Owner { get; set; }

    /// <summary>Counts the changes of its settings, from 1.</summary>
    public int Version { get; set; } = 1;

    /// <summary>What an operator decided about it.</summary>
    public QueueSettings Settings { get; set; } = QueueSettings.Default;

    /// <summary>When it was declared, UTC.</summary>
    public DateTime CreatedAt { get; set; }

    /// <summary>When its settings changed last, UTC.</summary>
    public DateTime UpdatedAt { get; set; }
}
