using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Scheduler.Batches;

/// <summary>The lines of output and error files (bella.md 10.7, 10.8, 12, appendix A).</summary>
internal static class BatchResults
{
    private const string Expired = "batch_expired", Cancelled = "batch_cancelled";

    private static readonly JsonWriterOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    /// <summary>The line of a task that has ended, and which file it belongs into.</summary>
    public static (byte[] Text, bool IsError) Of(BatchState batch, EndedLine task)
    {
        var (id, customId) = (BellaTaskId.Format(task.Id), BatchHeaders.CustomIdOf(task.Headers));
        if (task.State != TaskStates.Completed)
            return (Line(id, customId, null, ErrorOf(batch, task)), true);
        var status = StatusOf(task.Result);
        var isError = batch.Strict && status is < 200 or > 299;
        return batch.Strict && IsLapse(task.Result)
            ? (Line(id, customId, null, ("request_timeout", "the worker did not answer in time")), true)
            : (Line(id, customId, w => WriteResponse(w, id, status, task.Result), null), isError);
    }

    /// <summary>The line of one that could not be run.</summary>
    public static byte[] Of(BatchBadLine line) => Line("", line.CustomId, null, ("parse_error", line.Message), line.Line);

    /// <summary>The line of one that was not run before its batch ended.</summary>
    public static byte[] OfRest(BatchState batch, BatchLine line, int number) =>
        line.Problem is { } problem
            ? Line("", line.CustomId, null, ("parse_error", problem.Message), number)
            : Line("", line.CustomId, null, batch.State == BatchStates.Expiring ? (Expired, "the batch expired before this request was run") : (Cancelled, "the batch was cancelled before this request was run"));

    private static (string Code, string Message) ErrorOf(BatchState batch, EndedLine task) =>
        (task.State, batch.State) switch
        {
            (TaskStates.Failed, _) => ("task_failed", task.Error ?? "the task failed"),
            (_, BatchStates.Expiring) or (TaskStates.Expired, _) => (Expired, "the batch expired before this request was completed"),
            _ => (Cancelled, "the request was cancelled before it was completed"),
        };

    private static byte[] Line(string id, string? customId, Action<Utf8JsonWriter>? response, (string Code, string Message)? error, int? number = null)
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
            writer.WritePropertyName("error");
            if (error is var (code, message))
            {
                writer.WriteStartObject();
                writer.WriteString("code", code);
                writer.WriteString("message", message);
                writer.WriteEndObject();
            }
            else
            {
                writer.WriteNullValue();
            }

            writer.WriteEndObject();
        }

        return buffer.ToArray();
    }

    /// <summary>What the worker said; a status and a request id are there in any case.</summary>
    private static void WriteResponse(Utf8JsonWriter writer, string id, int status, string? result)
    {
        using var document = Parse(result);
        writer.WriteStartObject();
        writer.WriteNumber("status_code", status);
        if (document?.RootElement is { ValueKind: JsonValueKind.Object } answer)
        {
            if (!(answer.TryGetProperty("request_id", out var given) && given.ValueKind == JsonValueKind.String))
                writer.WriteString("request_id", id);
            foreach (var member in answer.EnumerateObject().Where(m => m.Name != "status_code"))
            {
                writer.WritePropertyName(member.Name);
                writer.WriteRawValue(member.Value.GetRawText(), skipInputValidation: true);
            }
        }
        else
        {
            writer.WriteString("request_id", id);
            writer.WritePropertyName("body");
            if (document is null)
                writer.WriteStringValue(result); // of a bus worker, whose text is no JSON
            else
                writer.WriteRawValue(document.RootElement.GetRawText(), skipInputValidation: true);
        }

        writer.WriteEndObject();
    }

    private static int StatusOf(string? result)
    {
        using var document = Parse(result);
        return document?.RootElement is { ValueKind: JsonValueKind.Object } answer && answer.TryGetProperty("status_code", out var status)
            && ((status.ValueKind == JsonValueKind.Number && status.TryGetInt32(out var number))
                || (status.ValueKind == JsonValueKind.String && int.TryParse(status.GetString(), NumberStyles.None, CultureInfo.InvariantCulture, out number)))
            ? number
            : 200;
    }

    /// <summary>Given up by the engine: a status as text and no body (bella.md 6).</summary>
    private static bool IsLapse(string? result)
    {
        using var document = Parse(result);
        return document?.RootElement is { ValueKind: JsonValueKind.Object } answer && !answer.TryGetProperty("body", out _)
            && answer.TryGetProperty("status_code", out var status) && status.ValueKind == JsonValueKind.String && status.ValueEquals("408");
    }

    private static JsonDocument? Parse(string? result)
    {
        try
        {
            return JsonDocument.Parse(result ?? "null");
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
