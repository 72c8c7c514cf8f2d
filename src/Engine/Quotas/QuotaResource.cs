namespace TaskQueue.Engine.Quotas;

/// <summary>A resource that a quota limits.</summary>
public enum QuotaResource
{
    /// <summary>Waiting tasks: pending and retrying ones, including scheduled and blocked ones.</summary>
    WaitingTasks,

    /// <summary>Bytes of files.</summary>
    FileBytes,

    /// <summary>Declared queues.</summary>
    Queues,

    /// <summary>Schedules.</summary>
    Schedules,

    /// <summary>Concurrent event streams, and requests that wait for a task or for work.</summary>
    Streams,

    /// <summary>Requests a second.</summary>
    RequestsPerSecond,
}

/// <summary>Names of the resources in JSON, metrics and errors.</summary>
public static class QuotaResources
{
    /// <summary>The name of a resource.</summary>
    public static string Word(QuotaResource resource) => resource switch
    {
        QuotaResource.WaitingTasks => "waiting_tasks",
        QuotaResource.FileBytes => "file_bytes",
        QuotaResource.Queues => "queues",
        QuotaResource.Schedules => "schedules",
        QuotaResource.Streams => "streams",
        _ => "requests_per_second",
    };

    /// <summary>The noun and the advice of an error message.</summary>
    internal static (string Noun, string Advice) Texts(QuotaResource resource) => resource switch
    {
        QuotaResource.WaitingTasks => ("waiting tasks", "wait until workers have taken some, or cancel some"),
        QuotaResource.FileBytes => ("bytes of files", "delete files"),
        QuotaResource.Queues => ("queues", "delete a queue"),
        QuotaResource.Schedules => ("schedules", "delete a schedule"),
        QuotaResource.Streams => ("open streams and waiting requests", "close some, or wait"),
        _ => ("requests a second", "send fewer requests, or send tasks in bulk"),
    };
}
