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

    /// <summary>The message of a task as that of another one; a payload that is not its message stays as it is.</summary>
    public static string For(string payload, Guid id, Guid other)
    {
        ArgumentNullException.ThrowIfNull(payload);
        var start = StartOf(id);
        return payload.StartsWith(start, StringComparison.Ordinal) ? string.Concat(StartOf(other), payload.AsSpan(start.Length)) : payload;
    }

    /// <summary>
    /// Whether a payload that was changed still names its task and action, if it did so before: the task has both beside its payload too.
    /// </summary>
    public static bool NamesTheSame(string changed, string payload, Guid id)
    {
        ArgumentNullException.ThrowIfNull(payload);
        if (!payload.StartsWith(StartOf(id), StringComparison.Ordinal))
            return true;
        using var before = JsonDocument.Parse(payload);
        using var after = JsonDocument.Parse(changed);
        return after.RootElement.ValueKind == JsonValueKind.Object && Array.TrueForAll(Fixed, name =>
            after.RootElement.TryGetProperty(name, out var now)
            && JsonElement.DeepEquals(now, before.RootElement.GetProperty(name)));
    }

    private static readonly string[] Fixed = ["id", "action"];

    private static string StartOf(Guid id) => $$"""{"id":"{{id}}","action":""";

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
