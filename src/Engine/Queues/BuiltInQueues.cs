namespace TaskQueue.Engine.Queues;

/// <summary>Queues that exist from the first migration on.</summary>
public static class BuiltInQueues
{
    /// <summary>The queue behind <c>POST /tasks</c>; its actions run in the Consumers role.</summary>
    public const string Tasks = "tasks";
}
