using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Scaling;
using TaskQueue.Engine.Telemetry;
using TaskQueue.Http.Answers;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Json;
using TaskQueue.Http.Requests;

namespace TaskQueue.Api.Operations;

/// <summary>
/// GET /scaling/{queue}: demand for an autoscaler, such as KEDA's metrics-api scaler. Numbers not known yet are null, except
/// <c>slots</c>, which is always a number: 0 for an unknown queue.
/// </summary>
/// <param name="Queue">Base name.</param>
/// <param name="Tier">The requested tier; null: all tiers together.</param>
/// <param name="Slots">Concurrency the queue needs now.</param>
/// <param name="Due">Number of due tasks.</param>
/// <param name="Later">Number of tasks scheduled for later.</param>
/// <param name="Blocked">Number of tasks blocked behind another with the same ordering key.</param>
/// <param name="Running">Number of tasks with a lease.</param>
/// <param name="OldestAgeSeconds">Age in seconds of the oldest due task.</param>
/// <param name="FinishedPerSecond">Rate of completed and failed tasks, over about a minute.</param>
/// <param name="ArrivedPerSecond">Rate of tasks that became due, over about a minute.</param>
/// <param name="RunSeconds">How long a finished task occupied a slot, all its attempts together.</param>
/// <param name="Paused">Whether the queue is paused; slots then covers only running tasks.</param>
/// <param name="WithinSeconds">Target time within which waiting tasks should start.</param>
internal sealed record ScalingAnswer(
    string Queue, int? Tier, int Slots, long Due, long Later, long Blocked, long Running, double OldestAgeSeconds,
    double? FinishedPerSecond, double? ArrivedPerSecond,
    double? RunSeconds, bool Paused, double WithinSeconds);

[JsonSerializable(typeof(ScalingAnswer))]
internal sealed partial class ScalingJson : JsonSerializerContext
{
    /// <summary>The context with <see cref="JsonStyle"/>'s options.</summary>
    public static ScalingJson Instance { get; } = new(new JsonSerializerOptions(JsonStyle.Options));
}

/// <summary>Endpoints for autoscalers.</summary>
internal static class ScalingEndpoints
{
    public static void MapScaling(this WebApplication app)
    {
        var route = app.MapGet("/scaling/{queue}", AskAsync).WithTags("operations").AnswerFaults(ApiErrors.Problem).DemandQueue("queue")
            .ForOperations()
            .Produces<ScalingAnswer>().ProducesProblem(400).ProducesProblem(503)
            .TakesWhole("tier", "One tier of the queue; default: all together.")
            .TakesNumber("within_seconds", "Target time within which waiting tasks should start: 1 to 86400; default as configured.")
            .WithSummary("Concurrency a queue needs now, for autoscalers; 0 for an idle or unknown queue.");
        if (app.Services.GetRequiredService<IOptions<TelemetryOptions>>().Value.PublicMetrics)
            route.Open();
        else
            route.Needs(Scope.Read);
    }

    private static async Task<IResult> AskAsync(string queue, HttpRequest request, QueueCatalog queues, QueueScaling scaling,
        CancellationToken cancellationToken)
    {
        if (!QueueNames.IsValid(queue))
            throw Wrong($"queue must be {QueueNames.Rule}");
        if (!MetricsFilter.Sees(request.HttpContext.Access(), request.HttpContext.Caller(), queue,
            (await queues.LookUpAsync(queue))?.Owner))
            throw Callers.NotForQueue(queue);
        PageQuery.DemandKnown(request, "tier", "within_seconds");
        var tier = Number(request, "tier", whole => whole is >= 0 and <= QueueNames.MaxTier
            && double.IsInteger(whole), $"a whole number from 0 to {QueueNames.MaxTier}");
        var within = Number(request, "within_seconds", s =>
            s is >= 1 and <= ScalingOptions.MaxWithinSeconds, $"1 to {ScalingOptions.MaxWithinSeconds}");
        var demand = await scaling.AskAsync(queue, (int?)tier, within, cancellationToken)
            ?? throw new ApiException(ApiErrors.Unavailable.Status, ApiErrors.Unavailable.Code, ApiErrors.Unavailable.Message);
        return Results.Json(ToAnswer(queue, (int?)tier, demand), ScalingJson.Instance.ScalingAnswer);
    }

    private static ScalingAnswer ToAnswer(string queue, int? tier, QueueDemand demand) => new(
        queue, tier, demand.Slots, demand.Due, demand.Later, demand.Blocked, demand.Running, demand.OldestAgeSeconds,
        demand.FinishedPerSecond, demand.ArrivedPerSecond,
        demand.RunSeconds, demand.Paused, demand.WithinSeconds);

    /// <exception cref="ApiException">400.</exception>
    private static double? Number(HttpRequest request, string name, Predicate<double> isAllowed, string rule)
    {
        if (request.Query[name] is not { Count: > 0 } values)
            return null;
        return values.Count == 1
            && double.TryParse(values[0], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) && isAllowed(number)
            ? number
            : throw Wrong($"{name} must be {rule}");
    }

    private static ApiException Wrong(string message) => new(400, "invalid_request", message);
}
