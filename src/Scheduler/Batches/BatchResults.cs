using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Ids;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Scheduler.Batches;

/// <summary>Renders the lines of output and error files (bella.md 10.7, 10.8, 12, appendix A).</summary>
internal static class BatchResults
{
    /// <summary>The input was deleted before its lines were read.</summary>
    public const string FileNotFound = "file_not_found";

    private const string Expired = "batch_expired", Cancelled = "batch_cancelled", ParseError = "parse_error";

    private static readonly JsonWriterOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        SkipValidation = true };

    private static readonly JsonDocumentOptions AnyDepth = new() { MaxDepth = int.MaxValue };

    /// <summary>Renders the line of an ended task and selects its file.</summary>
    public static (byte[] Text, bool IsError) Of(BatchState batch, EndedBatchItem task)
    {
        var (id, customId) = (NumberedTaskId.Format(task.Id), BatchHeaders.CustomIdOf(task.Headers));
        if (task.State != TaskStates.Completed)
            return (Line(id, customId, null, ErrorOf(batch, task)), true);
        using var result = Parse(task.Result);
        if (batch.Strict && IsLeaseExpiry(result?.RootElement))
            return (Line(id, customId, null, ("request_timeout", "the worker did not answer in time")), true);
        var status = CompletionActionsJson.StatusOf(task.Result);
        return (Line(id, customId, w => WriteResponse(w, id, status, result?.RootElement, task.Result), null), batch.Strict
            && status is < 200 or > 299);
    }

    /// <summary>Renders the line of an invalid item.</summary>
    public static byte[] Of(InvalidBatchItem line) =>
        Line("", line.CustomId, null, (line.Code == FileNotFound ? FileNotFound : ParseError, line.Message), line.Line);

    /// <summary>Renders the line of an item that was not run before its batch ended.</summary>
    public static byte[] OfRest(BatchState batch, BatchItem line, int number)
    {
        var error = line.Problem is { } problem ? (ParseError, problem.Message)
            : batch.State == BatchStates.Expiring ? (Expired, "the batch expired before this request was run")
            : (Cancelled, "the batch was cancelled before this request was run");
        return Line("", line.CustomId, null, error, number);
    }

    /// <summary>Renders the line of a task whose row cannot be read.</summary>
    public static byte[] OfUnreadable(Guid task) =>
        Line(NumberedTaskId.Format(task), null, null, ("unreadable", "the result cannot be written; the operator was told"));

    private static (string Code, string Message) ErrorOf(BatchState batch, EndedBatchItem task) =>
        (task.State, batch.State) switch
        {
            (TaskStates.Failed, _) => ("task_failed", task.Error ?? "the task failed"),
            (_, BatchStates.Expiring) or (TaskStates.Expired, _) => (Expired, "the batch expired before this request was completed"),
            _ => (Cancelled, "the request was cancelled before it was completed"),
        };

    private static byte[] Line(string id, string? customId, Action<Utf8JsonWriter>? response, (string Code, string Message)? error,
        int? number = null)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, Plain))
        {
            writer.WriteStartObject();
            writer.WriteString("id", id);
            writer.WriteString("custom_id", customId);
            if (number is { } n)
                writer.WriteString("customId", n.ToString(CultureInfo.InvariantCulture));
            writer.WritePropertyName("response");
            if (response is null)
                writer.WriteNullValue();
            else
                response(writer);
            WriteError(writer, error);
            writer.WriteEndObject();
        }

        return buffer.ToArray();
    }

    private static void WriteError(Utf8JsonWriter writer, (string Code, string Message)? error)
    {
        writer.WritePropertyName("error");
        if (error is not var (code, message))
        {
            writer.WriteNullValue();
            return;
        }

        writer.WriteStartObject();
        writer.WriteString("code", code);
        writer.WriteString("message", message);
        writer.WriteEndObject();
    }

    /// <summary>
    /// Writes the worker's response; it always has a status, a request id and a body. A worker unaware of this format returns the body
    /// alone.
    /// </summary>
    private static void WriteResponse(Utf8JsonWriter writer, string id, int status, JsonElement? result, string? text)
    {
        var isAnswer = result is { ValueKind: JsonValueKind.Object } o
            && (o.TryGetProperty("body", out _) || o.TryGetProperty("status_code", out _));
        writer.WriteStartObject();
        writer.WriteNumber("status_code", status);
        writer.WritePropertyName("request_id");
        if (isAnswer && result!.Value.TryGetProperty("request_id", out var given) && given.ValueKind == JsonValueKind.String)
            WriteLine(writer, given);
        else
            writer.WriteStringValue(id);
        if (isAnswer)
        {
            foreach (var member in result!.Value.EnumerateObject().Where(m => !m.NameEquals("status_code") && !m.NameEquals("request_id")))
            {
                writer.WritePropertyName(member.Name);
                WriteLine(writer, member.Value);
            }
        }
        else
        {
            writer.WritePropertyName("body");
            if (result is { } value)
                WriteLine(writer, value);
            else
                writer.WriteStringValue(text); // from a bus worker, not JSON
        }

        writer.WriteEndObject();
    }

    /// <summary>Writes the worker's JSON on one line; JSON has raw line breaks only between tokens.</summary>
    private static void WriteLine(Utf8JsonWriter writer, JsonElement value) =>
        writer.WriteRawValue(value.GetRawText().Replace('\n', ' ').Replace('\r', ' '), skipInputValidation: true);

    /// <summary>Whether the engine ended the task after an expired lease: a status without a body (bella.md 6).</summary>
    private static bool IsLeaseExpiry(JsonElement? result) =>
        result is { ValueKind: JsonValueKind.Object } answer && !answer.TryGetProperty("body", out _)
            && answer.TryGetProperty("status_code", out var status) && status.ValueKind == JsonValueKind.String
                && status.ValueEquals("408");

    /// <summary>Parses a result; null if it is not JSON, or has a name with an unpaired surrogate, which readers reject.</summary>
    private static JsonDocument? Parse(string? result)
    {
        try
        {
            var document = JsonDocument.Parse(result ?? "null", AnyDepth);
            if (document.RootElement.ValueKind == JsonValueKind.Object)
                _ = document.RootElement.EnumerateObject().Count(m => m.Name.Length > 0);
            return document;
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            return null;
        }
    }
}
