namespace TaskQueue.Engine.Queues;

/// <summary>Delivery of the tasks of a queue to workers.</summary>
public enum Delivery
{
    /// <summary>Workers claim over HTTP.</summary>
    Pull = 0,

    /// <summary>The engine dispatches to bus workers.</summary>
    Push = 1,
}

/// <summary>A row of table <c>queues</c>: a declared queue. Tasks of an undeclared queue are pulled, with default settings.</summary>
public sealed class QueueRecord
{
    /// <summary>Number of the queue, part of bella's task ids.</summary>
    public int Id { get; set; }

    /// <summary>Base name, unique.</summary>
    public string Name { get; set; } = "";

    /// <summary>How its tasks reach workers; immutable.</summary>
    public Delivery Delivery { get; set; }

    /// <summary>Endpoint that the queue serves, from bella's registration; null for queues of other APIs.</summary>
    public string? Endpoint { get; set; }

    /// <summary>Owner that declared it; null is shared by all.</summary>
    public string? Owner { get; set; }

    /// <summary>Incremented by each change of the settings, from 1.</summary>
    public int Version { get; set; } = 1;

    /// <summary>The settings chosen by operators.</summary>
    public QueueSettings Settings { get; set; } = QueueSettings.Default;

    /// <summary>When it was declared, UTC.</summary>
    public DateTime CreatedAt { get; set; }

    /// <summary>When its settings last changed, UTC.</summary>
    public DateTime UpdatedAt { get; set; }
}
