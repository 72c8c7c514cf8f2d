using System.Globalization;
using System.Text.Json;
using TaskQueue.Contracts;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Adapters.Agent;

/// <summary>The body is invalid; carries all problems.</summary>
internal sealed class AgentRequestException(IReadOnlyList<AgentProblem> problems) : Exception
{
    public IReadOnlyList<AgentProblem> Problems { get; } = problems;
}

/// <summary>
/// Reads the body of POST /agent/process-async and reports problems in the format of pydantic 1 (dtq-and-wippy.md A3). Unknown
/// members are dropped; known ones are copied to the payload byte for byte.
/// </summary>
internal static class AgentRequest
{
    /// <summary>Name of this API's tasks.</summary>
    private const string Name = "process_user_query_async";

    private static readonly TimeSpan Life = TimeSpan.FromHours(24);

    /// <exception cref="AgentRequestException">The body is invalid.</exception>
    public static TaskSubmission Read(JsonElement body, Guid id, string queue, string? owner, DateTimeOffset now)
    {
        if (body.ValueKind != JsonValueKind.Object)
            throw new AgentRequestException([new(["body"], "value is not a valid dict", "type_error.dict")]);
        var problems = new List<AgentProblem>();
        var query = Required(body, "query", problems);
        var user = Optional(body, "user_id", JsonValueKind.String, problems) ?? "\"api_user\"";
        var session = Optional(body, "session_id", JsonValueKind.String, problems)
            ?? $"\"session_{now.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture)}\"";
        var metadata = Optional(body, "metadata", JsonValueKind.Object, problems) ?? "{}";
        var context = Optional(body, "context", JsonValueKind.Object, problems) ?? "{}";
        if (problems.Count > 0)
            throw new AgentRequestException(problems);
        return new TaskSubmission(id, queue,
            $$"""{"query":{{query}},"user_id":{{user}},"session_id":{{session}},"metadata":{{metadata}},"context":{{context}}}""")
        {
            Name = Name,
            Priority = Priority.Normal,
            ExpiresAt = now.UtcDateTime + Life,
            Owner = owner,
        };
    }

    private static string? Required(JsonElement body, string name, List<AgentProblem> problems)
    {
        if (body.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null)
            return Text(value, name, JsonValueKind.String, problems);
        problems.Add(value.ValueKind == JsonValueKind.Undefined
            ? new(["body", name], "field required", "value_error.missing")
            : new(["body", name], "none is not an allowed value", "type_error.none.not_allowed"));
        return null;
    }

    private static string? Optional(JsonElement body, string name, JsonValueKind kind, List<AgentProblem> problems) =>
        body.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? Text(value, name, kind, problems) : null;

    private static string? Text(JsonElement value, string name, JsonValueKind kind, List<AgentProblem> problems)
    {
        if (value.ValueKind == kind)
            return value.GetRawText();
        problems.Add(kind == JsonValueKind.String
            ? new(["body", name], "str type expected", "type_error.str")
            : new(["body", name], "value is not a valid dict", "type_error.dict"));
        return null;
    }
}
