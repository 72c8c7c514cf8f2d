using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Logs;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Answers;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Json;
using TaskQueue.Http.Requests;

namespace TaskQueue.Api.Logs;

/// <summary>What workers logged while they ran a task.</summary>
internal static class LogEndpoints
{
    public static void MapLogs(this WebApplication app) =>
        app.MapGroup("/tasks").WithTags("tasks").AnswerFaults(ApiErrors.Problem)
            .MapGet("/{id}/logs", ListAsync).Needs(Scope.Read).Produces<TaskLog>().ProducesProblem(400).ProducesProblem(404)
            .TakesWhole("limit", "1 to 200; default 50.").TakesQuery("cursor", "Value of next_cursor from the previous page.")
            .WithSummary("What workers logged while they ran a task, oldest first.");

    private static async Task<IResult> ListAsync(string id, HttpContext context, ITaskQueries queries, ITaskLogStore logs,
        Redaction redaction, CancellationToken cancellationToken)
    {
        var query = PageQuery.Read(context.Request);
        var (limit, after) = (query.Limit, After(query.Cursor));
        var redactor = redaction.For(context.Caller());
        if (!Guid.TryParse(id, out var guid))
            throw NotFound(id);
        string? payload = null;
        if (redactor.IsOn)
            payload = (await queries.FindAsync(guid, context.Access(), context.Memory().ReserveAnswerAsync, cancellationToken)
                ?? throw NotFound(id)).Payload;
        else if (!await queries.IsSeenAsync(guid, context.Access(), cancellationToken))
            throw NotFound(id);
        var lines = await logs.ReadAsync(guid, after, limit + 1, cancellationToken);
        var dropped = lines.Count > 0 ? lines[0].Number - after - 1 : 0;
        var shown = dropped > 0 ? limit - 1 : limit; // the line about the dropped ones is one of the page
        var entries = lines.Take(shown).Select(l => ToEntry(l, redactor, payload)).ToList();
        if (dropped > 0)
            entries.Insert(0, Dropped(lines[0], dropped));
        var last = lines.Count <= shown ? null : (long?)(shown > 0 ? lines[shown - 1].Number : lines[0].Number - 1);
        return Results.Json(new TaskLog(entries, last?.ToString(CultureInfo.InvariantCulture)), LogJson.Instance.TaskLog);
    }

    private static TaskLogItem ToEntry(TaskLogEntry entry, Redactor redactor, string? payload) =>
        new(entry.Attempt, entry.Line.At, TaskLogRules.Word(entry.Line.Level),
            redactor.Hides("logs") ? Redactor.Hidden : redactor.Error(entry.Line.Message, payload)!);

    private static TaskLogItem Dropped(TaskLogEntry next, long count) =>
        new(next.Attempt, next.Line.At, TaskLogRules.Word(TaskLogLevel.Warning),
            $"{count} older lines were dropped: the newest {TaskLogRules.MaxLines} lines and {TaskLogRules.MaxBytes} bytes are kept");

    private static long After(string? cursor) =>
        cursor is null ? 0
        : long.TryParse(cursor, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number
        : throw PageQuery.WrongCursor();

    private static ApiException NotFound(string id) => new(404, "not_found", $"there is no task {id}");
}

/// <summary>GET /tasks/{id}/logs.</summary>
internal sealed record TaskLog(IReadOnlyList<TaskLogItem> Entries, string? NextCursor);

/// <summary>A line of a task's log.</summary>
internal sealed record TaskLogItem(int Attempt, DateTime At, string Level, string Message);

[JsonSerializable(typeof(TaskLog))]
internal sealed partial class LogJson : JsonSerializerContext
{
    /// <summary>The context with <see cref="JsonStyle"/>'s options.</summary>
    public static LogJson Instance { get; } = new(new JsonSerializerOptions(JsonStyle.Options));
}
