using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using TaskQueue.Engine.Ids;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Batches;

/// <summary>The file in which an item of a batch ends.</summary>
public enum BatchResultKind
{
    /// <summary>The output file.</summary>
    Output,

    /// <summary>The error file.</summary>
    Error,

    /// <summary>The error file, because the batch ended first.</summary>
    Unfinished,
}

/// <summary>A line of an output or error file.</summary>
/// <param name="Text">The line, without its end.</param>
/// <param name="Kind">Its file.</param>
public sealed record BatchResultLine(byte[] Text, BatchResultKind Kind);

/// <summary>Renders the lines of output and error files (bella.md 10.7, 10.8, 12, appendix A).</summary>
public static class BatchResults
{
    /// <summary>The input was deleted before its lines were read.</summary>
    public const string FileNotFound = "file_not_found";

    /// <summary>The results of identical items are too large together to be copied for each.</summary>
    public const string CopiesTooLarge = "copies_too_large";

    /// <summary>The row of the item cannot be read.</summary>
    public const string Unreadable = "unreadable";

    private const string Expired = "batch_expired", Cancelled = "batch_cancelled", ParseError = "parse_error";

    private static readonly JsonWriterOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        SkipValidation = true };

    /// <summary>Characters of strings that some readers of lines take for the end of a line; all others are control characters.</summary>
    private static readonly SearchValues<char> LineEnds = SearchValues.Create("\n\r\u0085\u2028\u2029");

    private static readonly JsonDocumentOptions AnyDepth = new() { MaxDepth = int.MaxValue };

    /// <summary>Renders the line of an ended task and selects its file.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="task">The task.</param>
    /// <param name="usage">The usage that the answer tells is added here; null: it is not wanted.</param>
    /// <param name="copyFor">An identical item to which the result is copied; null: the task's own item.</param>
    public static BatchResultLine Of(BatchState batch, EndedBatchItem task, BatchUsage? usage = null, InvalidBatchItem? copyFor = null)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(task);
        var (id, customId) = (NumberedTaskId.Format(task.Id), copyFor is null ? BatchHeaders.CustomIdOf(task.Headers) : copyFor.CustomId);
        if (task.State != TaskStates.Completed)
        {
            var error = ErrorOf(batch, task);
            var hasEnded = batch.State is BatchStates.Cancelling or BatchStates.Expiring;
            var isUnfinished = batch.Strict && hasEnded && error.Code is Expired or Cancelled;
            return new(Line(id, customId, null, error), isUnfinished ? BatchResultKind.Unfinished : BatchResultKind.Error);
        }

        using var result = Parse(task.Result);
        if (batch.Strict && IsLeaseExpiry(result?.RootElement))
            return new(Line(id, customId, null, ("request_timeout", "the worker did not answer in time")), BatchResultKind.Error);
        var status = CompletionActionsJson.StatusOf(task.Result);
        if (result is not null)
            usage?.Add(result.RootElement);
        return new(Line(id, customId, w => WriteResponse(w, id, status, result?.RootElement, task.Result), null),
            batch.Strict && status is < 200 or > 299 ? BatchResultKind.Error : BatchResultKind.Output);
    }

    /// <summary>Renders the line of an invalid item.</summary>
    public static byte[] Of(InvalidBatchItem line)
    {
        ArgumentNullException.ThrowIfNull(line);
        return Line("", line.CustomId, null, (CodeOf(line.Code), line.Message), line.Line);
    }

    private static string CodeOf(string code) => code is FileNotFound or BatchItem.TooLarge ? code : ParseError;

    /// <summary>Renders the line of an item whose result, that of an identical item, is not copied.</summary>
    /// <param name="task">The task of the identical item.</param>
    /// <param name="twin">The item.</param>
    /// <param name="maxBytes">Bytes that the copies of a batch may have.</param>
    public static BatchResultLine OfNoRoom(EndedBatchItem task, InvalidBatchItem twin, long maxBytes)
    {
        ArgumentNullException.ThrowIfNull(task);
        ArgumentNullException.ThrowIfNull(twin);
        var message = $"an identical request was run; its result is not copied, because the copies of a batch may have {maxBytes} bytes";
        return new(Line(NumberedTaskId.Format(task.Id), twin.CustomId, null, (CopiesTooLarge, message)), BatchResultKind.Error);
    }

    /// <summary>Renders the line of an item that was not run before its batch ended.</summary>
    public static BatchResultLine OfRest(BatchState batch, BatchItem line, int number)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(line);
        var error = line.Problem is { } problem ? (CodeOf(problem.Code), problem.Message)
            : batch.State == BatchStates.Expiring ? (Expired, "the batch expired before this request was run")
            : (Cancelled, "the batch was cancelled before this request was run");
        return new(Line("", line.CustomId, null, error, number),
            line.Problem is null && batch.Strict ? BatchResultKind.Unfinished : BatchResultKind.Error);
    }

    /// <summary>Renders the line of a task whose row cannot be read.</summary>
    public static byte[] OfUnreadable(Guid task) =>
        Line(NumberedTaskId.Format(task), null, null, (Unreadable, "the result cannot be written; the operator was told"));

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

    /// <summary>
    /// Writes the worker's JSON on one line, also for readers that know other line ends than '\n'. JSON has raw line breaks only between
    /// tokens, and the other line ends only within strings, where they can be escaped.
    /// </summary>
    private static void WriteLine(Utf8JsonWriter writer, JsonElement value) =>
        writer.WriteRawValue(OneLine(value.GetRawText()), skipInputValidation: true);

    private static string OneLine(string json)
    {
        if (!json.AsSpan().ContainsAny(LineEnds))
            return json;
        return json.Replace('\n', ' ').Replace('\r', ' ').Replace("\u0085", "\\u0085", StringComparison.Ordinal)
            .Replace("\u2028", "\\u2028", StringComparison.Ordinal).Replace("\u2029", "\\u2029", StringComparison.Ordinal);
    }

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
