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

namespace TaskQueue.Api.Operations;

/// <summary>
/// GET /scaling/{queue}: what an autoscaler, such as KEDA's metrics-api scaler, should provide. A number that is not known yet is
/// null, but <c>slots</c> is always one: 0 for a queue that nobody knows.
/// </summary>
/// <param name="Queue">Base name.</param>
/// <param name="Tier">The tier that was asked for; null is all together.</param>
/// <param name="Slots">How many tasks at once the queue needs now.</param>
/// <param name="Due">Tasks that may run now.</param>
/// <param name="Later">Tasks whose time is to come.</param>
/// <param name="Blocked">Tasks behind another with their ordering key.</param>
/// <param name="Running">Tasks with a lease.</param>
/// <param name="OldestAgeSeconds">For how long the oldest due task has waited.</param>
/// <param name="FinishedPerSecond">Tasks that completed or failed, over about a minute.</param>
/// <param name="ArrivedPerSecond">Tasks that came to wait, or whose time came, over about a minute.</param>
/// <param name="RunSeconds">How long a finished task took a slot, all its attempts together.</param>
/// <param name="Paused">Whether the queue hands out nothing; then slots are what still runs.</param>
/// <param name="WithinSeconds">Within which time what waits should be begun.</param>
internal sealed record ScalingAnswer(
    string Queue, int? Tier, int Slots, long Due, long Later, long Blocked, long Running, double OldestAgeSeconds,
        double? FinishedPerSecond, double? ArrivedPerSecond,
    double? RunSeconds, bool Paused, double WithinSeconds);

[JsonSerializable(typeof(ScalingAnswer))]
internal sealed partial class ScalingJson : JsonSerializerContext
{
    /// <summary>The context with the house's options.</summary>
    public static ScalingJson Instance { get; } = new(new JsonSerializerOptions(JsonStyle.Options));
}

/// <summary>What autoscalers ask.</summary>
internal static class ScalingEndpoints
{
    public static void MapScaling(this WebApplication app)
    {
        var route = app.MapGet("/scaling/{queue}", AskAsync).WithTags("operations").AnswerFaults(ApiErrors.Problem).DemandQueue("queue")
            .ForOperations()
            .Produces<ScalingAnswer>().ProducesProblem(400).ProducesProblem(503)
            .TakesQuery("tier", "One tier of the queue; default all together.")
            .TakesQuery("within_seconds", "Within which time what waits should be begun: 1 to 86400; default as the server is configured.")
            .WithSummary("How many tasks at once a queue needs now, for autoscalers; 0 for one that is idle or unknown.");
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
