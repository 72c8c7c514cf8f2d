using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Http.Json;

namespace TaskQueue.Adapters.Moab;

/// <summary>Source-generated JSON of the API.</summary>
[JsonSerializable(typeof(MoabCreateQueueBody))]
[JsonSerializable(typeof(MoabUpdateQueueBody))]
[JsonSerializable(typeof(MoabQueueBody))]
[JsonSerializable(typeof(MoabListQueuesBody))]
[JsonSerializable(typeof(MoabQueueAnswer))]
[JsonSerializable(typeof(MoabGetQueueAnswer))]
[JsonSerializable(typeof(MoabQueuesAnswer))]
[JsonSerializable(typeof(MoabNothing))]
[JsonSerializable(typeof(MoabQueueMark))]
[JsonSerializable(typeof(MoabError))]
[JsonSerializable(typeof(MoabEnqueueBody))]
[JsonSerializable(typeof(MoabDequeueBody))]
[JsonSerializable(typeof(MoabReportBody))]
[JsonSerializable(typeof(MoabTaskBody))]
[JsonSerializable(typeof(MoabListTasksBody))]
[JsonSerializable(typeof(MoabDeleteTasksBody))]
[JsonSerializable(typeof(MoabRestartTasksBody))]
[JsonSerializable(typeof(MoabTasksAnswer))]
[JsonSerializable(typeof(MoabReportAnswer))]
[JsonSerializable(typeof(MoabTaskAnswer))]
[JsonSerializable(typeof(MoabTaskPageAnswer))]
[JsonSerializable(typeof(MoabRestartAnswer))]
[JsonSerializable(typeof(MoabCreateScheduleBody))]
[JsonSerializable(typeof(MoabUpdateScheduleBody))]
[JsonSerializable(typeof(MoabScheduleBody))]
[JsonSerializable(typeof(MoabListSchedulesBody))]
[JsonSerializable(typeof(MoabScheduleAnswer))]
[JsonSerializable(typeof(MoabSchedulesAnswer))]
internal sealed partial class MoabJson : JsonSerializerContext
{
    /// <summary>The context with this API's options: zeros, empty texts and nulls are written, integers are read exactly.</summary>
    public static MoabJson Instance { get; } = new(new JsonSerializerOptions(JsonStyle.Options)
    {
        AllowDuplicateProperties = true,
        Converters = { new MoabIntegers() },
    });
}
