using System.Text.Json;
using TaskQueue.Api.Queues;
using TaskQueue.Api.Schedules;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Schedules;
using TaskQueue.Http.Audit;

namespace TaskQueue.Api.Audit;

/// <inheritdoc />
internal sealed class AuditSnapshots : IAuditSnapshots
{
    /// <inheritdoc />
    public string Of(QueueRecord queue) => JsonSerializer.Serialize(QueueMapping.ToDetails(queue), QueueJson.Instance.QueueDetails);

    /// <inheritdoc />
    public string Of(ScheduleRecord schedule) =>
        JsonSerializer.Serialize(ScheduleEndpoints.ToAudited(schedule), ScheduleJson.Instance.ScheduleDetails);
}
