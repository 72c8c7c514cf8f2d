using TaskQueue.Engine.Auth;

namespace TaskQueue.Adapters.Moab;

/// <summary>An RPC, however it is called.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Scope">Required scope.</param>
/// <param name="Handle">Executes it; errors are exceptions.</param>
/// <param name="Action">Name of the audited action, shared by all APIs; null: not audited.</param>
/// <param name="MayWait">Whether a call may take long, and so does not count as a concurrent request.</param>
internal sealed record MoabRpc<TBody, TAnswer>(string Name, Scope Scope, Func<HttpContext, TBody, Task<TAnswer>> Handle,
    string? Action = null, bool MayWait = false);

/// <summary>The RPCs of the API.</summary>
internal static class MoabRpcs
{
    private const string PutQueue = "queue.put", PutSchedule = "schedule.put";
    private const long MaxPageBytes = 7L * 512 * 1024; // 3.5 MiB

    public static MoabRpc<MoabCreateQueueBody, MoabQueueAnswer> CreateQueue { get; } =
        new("CreateQueue", Scope.Admin, (context, body) => Queues(context).CreateAsync(context, body), PutQueue);

    public static MoabRpc<MoabQueueBody, MoabGetQueueAnswer> GetQueue { get; } =
        new("GetQueue", Scope.Read, (context, body) => Queues(context).GetAsync(context, body));

    public static MoabRpc<MoabUpdateQueueBody, MoabQueueAnswer> UpdateQueue { get; } =
        new("UpdateQueue", Scope.Admin, (context, body) => Queues(context).UpdateAsync(context, body), PutQueue);

    public static MoabRpc<MoabQueueBody, MoabNothing> DeleteQueue { get; } =
        new("DeleteQueue", Scope.Admin, (context, body) => Queues(context).DeleteAsync(context, body), "queue.delete");

    public static MoabRpc<MoabListQueuesBody, MoabQueuesAnswer> ListQueues { get; } =
        new("ListQueues", Scope.Read, (context, body) => Queues(context).ListAsync(context, body));

    public static MoabRpc<MoabQueueBody, MoabNothing> PurgeQueue { get; } =
        new("PurgeQueue", Scope.Admin, (context, body) => Queues(context).PurgeAsync(context, body), "queue.purge");

    public static MoabRpc<MoabEnqueueBody, MoabTasksAnswer> Enqueue { get; } =
        new("Enqueue", Scope.Enqueue, (context, body) => Tasks(context).EnqueueAsync(context, body));

    public static MoabRpc<MoabDequeueBody, MoabTasksAnswer> Dequeue { get; } =
        new("Dequeue", Scope.Work, (context, body) => Tasks(context).DequeueAsync(context, body));

    /// <summary>With a wait, if the client asks for one, and no more than it accepts: what it refuses would be leased to nobody.</summary>
    public static MoabRpc<MoabDequeueBody, MoabTasksAnswer> DequeueOfGrpc { get; } =
        Dequeue with
        {
            Handle = (context, body) => Tasks(context).DequeueAsync(context, body, MoabFields.Wait(context), MaxPageBytes), MayWait = true,
        };

    public static MoabRpc<MoabReportBody, MoabReportAnswer> ReportStatus { get; } =
        new("ReportStatus", Scope.Work, (context, body) => Reports(context).ReportAsync(context, body));

    /// <summary>Published consumers of the preview name no attempt (moab.md 5).</summary>
    public static MoabRpc<MoabReportBody, MoabReportAnswer> ReportStatusOfPreview { get; } =
        ReportStatus with { Handle = (context, body) => Reports(context).ReportAsync(context, body, isFenced: false) };

    public static MoabRpc<MoabTaskBody, MoabTaskAnswer> GetTask { get; } =
        new("GetTask", Scope.Read, (context, body) => Tasks(context).GetAsync(context, body));

    public static MoabRpc<MoabListTasksBody, MoabTaskPageAnswer> ListTasks { get; } =
        new("ListTasks", Scope.Read, (context, body) => Tasks(context).ListAsync(context, body));

    /// <summary>Clients of gRPC refuse a response of more than 4 MiB, unless they are told to accept it.</summary>
    public static MoabRpc<MoabListTasksBody, MoabTaskPageAnswer> ListTasksOfGrpc { get; } =
        ListTasks with { Handle = (context, body) => Tasks(context).ListAsync(context, body, MaxPageBytes) };

    public static MoabRpc<MoabDeleteTasksBody, MoabNothing> DeleteTasks { get; } =
        new("DeleteTasks", Scope.Enqueue, (context, body) => Reports(context).DeleteAsync(context, body));

    public static MoabRpc<MoabRestartTasksBody, MoabRestartAnswer> RestartTasks { get; } =
        new("RestartTasks", Scope.Enqueue, (context, body) => Reports(context).RestartAsync(context, body));

    public static MoabRpc<MoabCreateScheduleBody, MoabScheduleAnswer> CreateSchedule { get; } =
        new("CreateSchedule", Scope.Admin, (context, body) => Schedules(context).CreateAsync(context, body), PutSchedule);

    public static MoabRpc<MoabScheduleBody, MoabScheduleAnswer> GetSchedule { get; } =
        new("GetSchedule", Scope.Read, (context, body) => Schedules(context).GetAsync(context, body));

    public static MoabRpc<MoabUpdateScheduleBody, MoabScheduleAnswer> UpdateSchedule { get; } =
        new("UpdateSchedule", Scope.Admin, (context, body) => Schedules(context).UpdateAsync(context, body), PutSchedule);

    public static MoabRpc<MoabScheduleBody, MoabNothing> DeleteSchedule { get; } =
        new("DeleteSchedule", Scope.Admin, (context, body) => Schedules(context).DeleteAsync(context, body), "schedule.delete");

    public static MoabRpc<MoabListSchedulesBody, MoabSchedulesAnswer> ListSchedules { get; } =
        new("ListSchedules", Scope.Read, (context, body) => Schedules(context).ListAsync(context, body));

    private static MoabQueueRpcs Queues(HttpContext context) => context.RequestServices.GetRequiredService<MoabQueueRpcs>();

    private static MoabTaskRpcs Tasks(HttpContext context) => context.RequestServices.GetRequiredService<MoabTaskRpcs>();

    private static MoabReports Reports(HttpContext context) => context.RequestServices.GetRequiredService<MoabReports>();

    private static MoabScheduleRpcs Schedules(HttpContext context) => context.RequestServices.GetRequiredService<MoabScheduleRpcs>();
}
