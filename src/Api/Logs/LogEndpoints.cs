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
    private const int DefaultPage = 50, MaxPage = 200;

    public static void MapLogs(this WebApplication app) =>
        app.MapGroup("/tasks").WithTags("tasks").AnswerFaults(ApiErrors.Problem)
            .MapGet("/{id}/logs", ListAsync).Needs(Scope.Read).Produces<TaskLog>().ProducesProblem(400).ProducesProblem(404)
            .TakesQuery("limit", "1 to 200; default 50.").TakesQuery("cursor", "Value of next_cursor from the previous page.")
            .WithSummary("What workers logged while they ran a task, oldest first.");

    private static async Task<IResult> ListAsync(string id, HttpContext context, ITaskQueries queries, ITaskLogStore logs,
        Redaction redaction, CancellationToken cancellationToken)
    {
        context.TakesOnly("limit", "cursor");
        var limit = context.Limit(DefaultPage, MaxPage);
        var after = After(context.Request.Query["cursor"].ToString());
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
        var entries = lines.Take(limit).Select(l => ToEntry(l, redactor, payload)).ToList();
        if (lines.Count > 0 && lines[0].Number > after + 1)
            entries.Insert(0, Dropped(lines[0], lines[0].Number - after - 1));
        return Results.Json(
            new TaskLog(entries, lines.Count > limit ? lines[limit - 1].Number.ToString(CultureInfo.InvariantCulture) : null),
            LogJson.Instance.TaskLog);
    }

    private static TaskLogItem ToEntry(TaskLogEntry entry, Redactor redactor, string? payload) =>
        new(entry.Attempt, entry.Line.At, TaskLogRules.Word(entry.Line.Level),
            redactor.Hides("logs") ? Redactor.Hidden : redactor.Error(entry.Line.Message, payload)!);

    private static TaskLogItem Dropped(TaskLogEntry next, long count) =>
        new(next.Attempt, next.Line.At, TaskLogRules.Word(TaskLogLevel.Warning),
            $"{count} older lines were dropped: the newest {TaskLogRules.MaxLines} lines and {TaskLogRules.MaxBytes} bytes are kept");

    private static long After(string cursor) =>
        cursor.Length == 0 ? 0
        : long.TryParse(cursor, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number
        : throw new ApiException(400, "invalid_request", "cursor must be next_cursor of the page before");

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
