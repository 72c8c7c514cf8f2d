using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Schedules;

namespace TaskQueue.Http.Audit;

/// <summary>Audit snapshot of a queue or schedule, the same for every API: its native JSON without payloads.</summary>
internal interface IAuditSnapshots
{
    /// <summary>A queue with its settings.</summary>
    string Of(QueueRecord queue);

    /// <summary>A schedule with its settings.</summary>
    string Of(ScheduleRecord schedule);
}
