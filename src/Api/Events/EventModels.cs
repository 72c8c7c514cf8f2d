using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Json;

namespace TaskQueue.Api.Events;

/// <summary>The data of an event; which one it is says its name.</summary>
/// <param name="TaskId">The task.</param>
/// <param name="Queue">Base name of its queue.</param>
/// <param name="Tier">Its tier.</param>
/// <param name="Attempt">Attempts started at that time.</param>
/// <param name="At">When it happened.</param>
/// <param name="DueAt">When the task may run next, while it waits.</param>
/// <param name="Worker">Who ran the attempt.</param>
/// <param name="Error">Why it failed.</param>
internal sealed record EventData(Guid TaskId, string Queue, int Tier, int Attempt, DateTime At, DateTime? DueAt, string? Worker,
    string? Error)
{
    public static EventData Of(TaskEvent e, string? error) => new(e.TaskId, e.Queue, e.Tier, e.Attempt, e.At, e.DueAt, e.Worker, error);
}

/// <summary>Source-generated JSON of the API.</summary>
[JsonSerializable(typeof(EventData))]
internal sealed partial class EventJson : JsonSerializerContext
{
    /// <summary>The context with the house's options.</summary>
    public static EventJson Instance { get; } = new(new JsonSerializerOptions(JsonStyle.Options));
}
