using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Schedules;

namespace TaskQueue.Http.Audit;

/// <summary>What the audit log keeps of a queue or schedule, the same from every API: its native JSON without payloads.</summary>
internal interface IAuditSnapshots
{
    /// <summary>A queue with its settings.</summary>
    string Of(QueueRecord queue);

    /// <summary>A schedule with its settings.</summary>
    string Of(ScheduleRecord schedule);
}
