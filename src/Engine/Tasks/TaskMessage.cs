using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using TaskQueue.Engine.Queues;

namespace TaskQueue.Engine.Tasks;

/// <summary>The payload that workers receive, whatever a task comes from: <c>{"id", "action", "data", "created_at"}</c>.</summary>
public static class TaskMessage
{
    /// <summary>Builds the message.</summary>
    /// <param name="id">Id of the task.</param>
    /// <param name="queue">Its queue.</param>
    /// <param name="action">JSON of its action.</param>
    /// <param name="data">JSON of its data as it was given; null if there is none.</param>
    /// <param name="createdAt">When it was created.</param>
    public static string Of(Guid id, string queue, string action, string? data, DateTimeOffset createdAt) =>
        string.Create(CultureInfo.InvariantCulture,
            $$"""{"id":"{{id}}","action":{{action}},"data":{{data ?? None(queue)}},"created_at":{{createdAt.ToUnixTimeSeconds()}}}""");

    /// <summary>A name as the JSON of an action.</summary>
    public static string ActionOf(string? name) =>
        name is null ? "null" : $"\"{JsonEncodedText.Encode(name, JavaScriptEncoder.UnsafeRelaxedJsonEscaping)}\"";

    /// <summary>No data: an empty Lua table in the tutorial's queue, which is encoded as a list (dtq-and-wippy.md B2).</summary>
    private static string None(string queue) => queue == BuiltInQueues.Tasks ? "[]" : "null";
}
