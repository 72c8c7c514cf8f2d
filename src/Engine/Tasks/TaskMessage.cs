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
    /// <param name="data">
    /// JSON of its data, which stays as it was given; null if there is none. In the tutorial's queue null, false and an empty table are
    /// none too, as in Lua.
    /// </param>
    /// <param name="createdAt">When it was created.</param>
    public static string Of(Guid id, string queue, string action, string? data, DateTimeOffset createdAt)
    {
        var given = queue == BuiltInQueues.Tasks && IsNothing(data) ? EmptyTable : data ?? "null";
        return string.Create(CultureInfo.InvariantCulture,
            $$"""{"id":"{{id}}","action":{{action}},"data":{{given}},"created_at":{{createdAt.ToUnixTimeSeconds()}}}""");
    }

    /// <summary>A name as the JSON of an action.</summary>
    public static string ActionOf(string? name) =>
        name is null ? "null" : $"\"{JsonEncodedText.Encode(name, JavaScriptEncoder.UnsafeRelaxedJsonEscaping)}\"";

    /// <summary>An empty Lua table is encoded as a list (dtq-and-wippy.md B2).</summary>
    private const string EmptyTable = "[]";

    private static bool IsNothing(ReadOnlySpan<char> data)
    {
        var text = data.Trim();
        return text is "" or "null" or "false" || (text is ['{', .. var inside, '}'] && inside.IsWhiteSpace());
    }
}
