using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Json;

namespace TaskQueue.Api.Events;

/// <summary>Data of an event; the type is the event's name.</summary>
/// <param name="TaskId">The task.</param>
/// <param name="Queue">Base name of its queue.</param>
/// <param name="Tier">Its tier.</param>
/// <param name="Attempt">Number of attempts started by then.</param>
/// <param name="At">When it happened.</param>
/// <param name="DueAt">When the next attempt may start; null unless the task waits.</param>
/// <param name="Worker">Worker that ran the attempt.</param>
/// <param name="Error">Why the attempt failed.</param>
internal sealed record EventData(Guid TaskId, string Queue, int Tier, int Attempt, DateTime At, DateTime? DueAt, string? Worker,
    string? Error)
{
    public static EventData Of(TaskEvent e, string? error) => new(e.TaskId, e.Queue, e.Tier, e.Attempt, e.At, e.DueAt, e.Worker, error);
}

/// <summary>Source-generated JSON of the API.</summary>
[JsonSerializable(typeof(EventData))]
internal sealed partial class EventJson : JsonSerializerContext
{
    /// <summary>The context with <see cref="JsonStyle"/>'s options.</summary>
    public static EventJson Instance { get; } = new(new JsonSerializerOptions(JsonStyle.Options));
}
