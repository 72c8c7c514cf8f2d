using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Http.Answers;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Json;

namespace TaskQueue.Adapters.OpenAI;

/// <summary>The members of OpenAI's error object; the last two are always null here, but present.</summary>
public sealed record OpenAIErrorDetails(string Message, string Type)
{
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public string? Param { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public string? Code { get; init; }
}

/// <summary>Error of the Batch API: bella's format; the OpenAI SDKs read its <c>error</c> member.</summary>
public sealed record BatchError(int Code, string Message, long Timestamp, OpenAIErrorDetails Error);

/// <summary>Error of the Files API: OpenAI's format.</summary>
public sealed record FileError(OpenAIErrorDetails Error);

[JsonSerializable(typeof(BatchError))]
[JsonSerializable(typeof(FileError))]
internal sealed partial class OpenAIErrorJson : JsonSerializerContext
{
    /// <summary>The context with <see cref="JsonStyle"/>'s options.</summary>
    public static OpenAIErrorJson Instance { get; } = new(new JsonSerializerOptions(JsonStyle.Options));
}

/// <summary>Renders errors in the format the OpenAI SDKs read.</summary>
internal static class OpenAIErrors
{
    public static readonly AnswerCaching NoCache = new("no-cache");

    /// <summary>Renders errors of the Batch API.</summary>
    public static Func<ApiError, IResult> Batch(TimeProvider time) => error =>
        Results.Json(new BatchError(error.Status, error.Message, time.GetUtcNow().ToUnixTimeMilliseconds(), Details(error)),
            OpenAIErrorJson.Instance.BatchError, statusCode: error.Status);

    /// <summary>Renders errors of the Files API.</summary>
    public static IResult File(ApiError error) =>
        Results.Json(new FileError(Details(error)), OpenAIErrorJson.Instance.FileError, statusCode: error.Status);

    /// <summary>Creates a 400 error.</summary>
    public static ApiException Invalid(string message) => new(400, "invalid_request", message);

    private static OpenAIErrorDetails Details(ApiError error) => new(error.Message, TypeOf(error));

    private static string TypeOf(ApiError error) =>
        error.Code == ApiErrors.QuotaExceeded ? "insufficient_quota" : error.Status < 500 ? "invalid_request_error"
            : "internal_server_error";
}
