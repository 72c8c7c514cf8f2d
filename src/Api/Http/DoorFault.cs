using System.Data.Common;
using System.Globalization;
using RabbitMQ.Client.Exceptions;
using TaskQueue.Engine.Bus;
using TaskQueue.Engine.Encryption;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Schedules;
using TaskQueue.Engine.Storage;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Api.Http;

/// <summary>A request cannot be answered as asked: the door renders it in its own shape.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="Code">Stable word for programs.</param>
/// <param name="Message">What to change.</param>
/// <param name="Details">What programs may want to know of it, for the doors that say so.</param>
internal sealed record DoorFault(int Status, string Code, string Message, IReadOnlyDictionary<string, string>? Details = null)
{
    /// <summary>When it is worth trying again, where that is known.</summary>
    public TimeSpan? RetryAfter { get; init; } = Status == StatusCodes.Status503ServiceUnavailable ? TimeSpan.FromSeconds(1) : null;
}

/// <summary>How the door of a route renders faults.</summary>
internal sealed record DoorShape(Func<DoorFault, IResult> Render);

/// <summary>Stops a request with a fault.</summary>
internal sealed class DoorException(int status, string code, string message, IReadOnlyDictionary<string, string>? details = null) : Exception(message)
{
    public DoorFault Fault { get; } = new(status, code, message, details);
}

internal static partial class DoorFaults
{
    /// <summary>Renders every fault of a group of endpoints in the shape of their door.</summary>
    public static T AnswerFaults<T>(this T endpoints, Func<DoorFault, IResult> shape)
        where T : IEndpointConventionBuilder =>
        endpoints.WithMetadata(new DoorShape(shape)).AddEndpointFilter(async (context, next) =>
        {
            try
            {
                return await next(context);
            }
            catch (OperationCanceledException) when (context.HttpContext.RequestAborted.IsCancellationRequested)
            {
                return Results.StatusCode(StatusCodes.Status499ClientClosedRequest);
            }
#pragma warning disable CA1031 // the door's own words, whatever it is
            catch (Exception exception)
#pragma warning restore CA1031
            {
                var fault = ToFault(exception);
                if (fault.Status >= 500 && exception is not DoorException // a door that says so itself knows why
                    && !context.HttpContext.RequestServices.GetRequiredService<Outages>().Covers(exception))
                    LogFailed(context.HttpContext.RequestServices.GetRequiredService<ILoggerFactory>().CreateLogger<DoorFault>(), exception, context.HttpContext.Request.Method, context.HttpContext.Request.Path);
                Announce(context.HttpContext.Response, fault);
                return shape(fault);
            }
        });

    /// <summary>Answers a request that does not reach its route, in the shape of its door.</summary>
    public static Task AnswerAsync(HttpContext context, DoorFault fault)
    {
        Announce(context.Response, fault);
        return (context.GetEndpoint()?.Metadata.GetMetadata<DoorShape>()?.Render ?? HttpRegistration.Problem)(fault).ExecuteAsync(context);
    }

    private static void Announce(HttpResponse response, DoorFault fault)
    {
        if (fault.Status == StatusCodes.Status401Unauthorized)
            response.Headers.WWWAuthenticate = "Bearer";
        if (fault.RetryAfter is { } wait)
            response.Headers.RetryAfter = Math.Max(1, Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
    }

    private static DoorFault ToFault(Exception exception) =>
        exception switch
        {
            DoorException door => door.Fault,
            InvalidSubmissionException => new(400, "invalid_task", exception.Message),
            InvalidQueueException => new(400, "invalid_request", exception.Message),
            InvalidScheduleException => new(400, "invalid_schedule", exception.Message),
            BadHttpRequestException bad => new(bad.StatusCode, bad.StatusCode == 413 ? "too_large" : "bad_request", bad.Message),
            BrokerUnreachableException => new(503, "broker_unavailable", "the broker is unavailable; try again"),
            OverloadedException => new(503, "overloaded", exception.Message),
            BrokerSilentException => new(503, "broker_unavailable", $"{exception.Message}; try again"),
            UnreadableDataException => new(500, "unreadable_data", exception.Message),
            DbException or InvalidOperationException { InnerException: DbException } => Unavailable,
            _ when StorageFaults.IsTransient(exception) => Unavailable,
            _ => new(500, "internal_error", "the server failed; its log says more"),
        };

    /// <summary>The database is away.</summary>
    public static DoorFault Unavailable { get; } = new(503, "database_unavailable", "the database is unavailable; try again, with the same id or dedupe_key where the request may have taken effect");

    [LoggerMessage(LogLevel.Error, "{Method} {Path} failed")]
    private static partial void LogFailed(ILogger logger, Exception exception, string method, PathString path);
}
