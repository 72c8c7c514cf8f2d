using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.WebUtilities;
using TaskQueue.Http.Answers;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Json;

namespace TaskQueue.Adapters.OpenAI;

/// <summary>The members of OpenAI's error object.</summary>
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
    /// <param name="message">What is wrong, and what is right.</param>
    /// <param name="param">The member of the request that is wrong, if it is one.</param>
    public static ApiException Invalid(string message, string? param = null) =>
        new(400, "invalid_request", message, param is null ? null : new Dictionary<string, string> { [Param] = param });

    /// <summary>Answers a request to <c>/v1</c> that no route takes: a wrong path, or a wrong method.</summary>
    public static Task AnswerPageAsync(HttpContext context)
    {
        var status = context.Response.StatusCode;
        var message = status switch
        {
            StatusCodes.Status404NotFound => $"there is no {context.Request.Method} {context.Request.Path}",
            StatusCodes.Status405MethodNotAllowed => $"{context.Request.Path} does not take {context.Request.Method}; it takes "
                + $"{context.Response.Headers.Allow}",
            _ => ReasonPhrases.GetReasonPhrase(status),
        };
        var code = ReasonPhrases.GetReasonPhrase(status).ToLowerInvariant().Replace(' ', '_');
        return Batch(context.RequestServices.GetRequiredService<TimeProvider>())(new ApiError(status, code, message)).ExecuteAsync(context);
    }

    private const string Param = "param";

    private static OpenAIErrorDetails Details(ApiError error) =>
        new(error.Message, TypeOf(error)) { Code = error.Code, Param = error.Details?.GetValueOrDefault(Param) };

    private static string TypeOf(ApiError error) =>
        error.Code == ApiErrors.QuotaExceeded ? "insufficient_quota" : error.Status < 500 ? "invalid_request_error"
            : "internal_server_error";
}
