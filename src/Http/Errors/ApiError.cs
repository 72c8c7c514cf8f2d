using System.Data.Common;
using System.Globalization;
using TaskQueue.Engine;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Quotas;
using TaskQueue.Engine.Schedules;
using TaskQueue.Engine.Search;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Http.Errors;

/// <summary>An error response, rendered by each API in its own format.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="Code">Stable error code for programs.</param>
/// <param name="Message">The problem and how to fix it.</param>
/// <param name="Details">Additional machine-readable details, for APIs whose format has them.</param>
internal sealed record ApiError(int Status, string Code, string Message, IReadOnlyDictionary<string, string>? Details = null)
{
    /// <summary>When a retry may succeed, if known.</summary>
    public TimeSpan? RetryAfter { get; init; } = Status == StatusCodes.Status503ServiceUnavailable ? TimeSpan.FromSeconds(1) : null;
}

/// <summary>Renders errors in the format of a route's API.</summary>
internal sealed record ApiErrorFormat(Func<ApiError, IResult> Render);

/// <summary>Ends a request with an error response.</summary>
internal sealed class ApiException(ApiError fault) : Exception(fault.Message)
{
    public ApiException(int status, string code, string message, IReadOnlyDictionary<string, string>? details = null)
        : this(new ApiError(status, code, message, details))
    {
    }

    public ApiError Fault { get; } = fault;
}

internal static partial class ApiErrors
{
    /// <summary>Renders every error of a group of endpoints in the format of their API.</summary>
    public static T AnswerFaults<T>(this T endpoints, Func<ApiError, IResult> shape)
        where T : IEndpointConventionBuilder =>
        endpoints.WithMetadata(new ApiErrorFormat(shape)).AddEndpointFilter(async (context, next) =>
        {
            try
            {
                return await next(context);
            }
            catch (OperationCanceledException) when (context.HttpContext.RequestAborted.IsCancellationRequested)
            {
                return Results.StatusCode(StatusCodes.Status499ClientClosedRequest);
            }
#pragma warning disable CA1031 // every exception is rendered in the API's format
            catch (Exception exception)
#pragma warning restore CA1031
            {
                return shape(Report(context.HttpContext, exception));
            }
        });

    /// <summary>Maps an exception to an error response, and logs it if it is the server's own.</summary>
    public static ApiError Report(HttpContext context, Exception exception)
    {
        var fault = ToFault(exception);
        if (fault.Status >= 500 && exception is not ApiException // an ApiException is deliberate
            && !context.RequestServices.GetRequiredService<DependencyHealth>().TryHandle(exception))
            LogFailed(context.RequestServices.GetRequiredService<ILoggerFactory>().CreateLogger<ApiError>(), exception,
                context.Request.Method, context.Request.Path);
        Announce(context, fault);
        return fault;
    }

    /// <summary>Answers a request that does not reach its route, in the format of its API.</summary>
    public static Task AnswerAsync(HttpContext context, ApiError fault)
    {
        Announce(context, fault);
        return (context.GetEndpoint()?.Metadata.GetMetadata<ApiErrorFormat>()?.Render ?? Problem)(fault).ExecuteAsync(context);
    }

    private static void Announce(HttpContext context, ApiError fault)
    {
        var response = context.Response;
        context.RequestServices.GetService<IApiErrorObserver>()?.OnError(context, fault);
        if (response.HasStarted)
            return; // a stream ends with the error
        if (fault.Status == StatusCodes.Status401Unauthorized)
            response.Headers.WWWAuthenticate = "Bearer";
        if (fault.RetryAfter is { } wait)
            response.Headers.RetryAfter = Math.Max(1, Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>RFC 9457, the default format; <c>code</c> is the stable error code.</summary>
    public static IResult Problem(ApiError fault) =>
        Results.Problem(statusCode: fault.Status, detail: fault.Message,
            extensions: new Dictionary<string, object?> { ["code"] = fault.Code });

    /// <summary>Maps an exception to an error response.</summary>
    public static ApiError ToFault(Exception exception) =>
        exception switch
        {
            ApiException refusal => refusal.Fault,
            InvalidSubmissionException => new(400, "invalid_task", exception.Message),
            InvalidQueueException => new(400, "invalid_request", exception.Message),
            InvalidScheduleException => new(400, "invalid_schedule", exception.Message),
            InvalidSearchException => new(400, "invalid_search", exception.Message),
            TaskIdConflictException => new(409, "id_taken", exception.Message),
            BatchRetryException => new(409, "not_retryable", exception.Message),
            BadHttpRequestException bad => new(bad.StatusCode, bad.StatusCode == 413 ? "too_large" : "bad_request", bad.Message),
            QuotaExceededException quota => ToFault(quota),
            OverloadedException => new(503, "overloaded", exception.Message),
            BrokerSilentException => new(503, "broker_unavailable", $"{exception.Message}; try again"),
            UnreadableDataException => new(500, "unreadable_data", exception.Message),
            FileStoreException => FilesUnavailable,
            DbException or InvalidOperationException { InnerException: DbException } => Unavailable,
            _ when StorageFaults.IsTransient(exception) => Unavailable,
            _ => new(500, "internal_error", "the server failed; its log says more"),
        };

    /// <summary>A tenant's quota is exhausted.</summary>
    public static ApiError ToFault(QuotaExceededException quota) =>
        new(StatusCodes.Status429TooManyRequests, QuotaExceeded, quota.Message, new Dictionary<string, string>
        {
            ["resource"] = QuotaResources.Word(quota.Resource),
            ["limit"] = quota.Limit.ToString(CultureInfo.InvariantCulture),
            ["used"] = quota.Used.ToString(CultureInfo.InvariantCulture),
        })
        { RetryAfter = quota.RetryAfter };

    /// <summary>The code of an exhausted quota.</summary>
    public const string QuotaExceeded = "quota_exceeded";

    /// <summary>The database is unavailable.</summary>
    public static ApiError Unavailable { get; } = new(503, "database_unavailable",
        "the database is unavailable; try again, with the same id or dedupe_key if the request may have taken effect");

    /// <summary>The storage of file contents is unavailable.</summary>
    private static ApiError FilesUnavailable { get; } = new(503, "files_unavailable",
        "the file store is unavailable, for example because its disk is full or its server does not answer; try again");

    [LoggerMessage(LogLevel.Error, "{Method} {Path} failed")]
    private static partial void LogFailed(ILogger logger, Exception exception, string method, PathString path);
}
