namespace TaskQueue.Engine.Queues;

/// <summary>Queues created by the first migration.</summary>
public static class BuiltInQueues
{
    /// <summary>The queue behind <c>POST /tasks</c>; its actions run in the Consumers role.</summary>
    public const string Tasks = "tasks";
}
