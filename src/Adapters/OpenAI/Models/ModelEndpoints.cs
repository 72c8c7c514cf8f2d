using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Queues;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Json;

namespace TaskQueue.Adapters.OpenAI.Models;

/// <summary>A model that a request may name.</summary>
/// <param name="Id">Its name.</param>
/// <param name="Object"><c>model</c>.</param>
/// <param name="Created">When its queue was created, Unix seconds; 0 if it has none of its own.</param>
/// <param name="OwnedBy"><c>taskqueue</c>.</param>
public sealed record ModelObject(string Id, string Object, long Created, string OwnedBy);

/// <summary>GET /v1/models.</summary>
public sealed record ModelList(string Object, IReadOnlyList<ModelObject> Data);

[JsonSerializable(typeof(ModelObject))]
[JsonSerializable(typeof(ModelList))]
internal sealed partial class ModelJson : JsonSerializerContext
{
    /// <summary>The context with <see cref="JsonStyle"/>'s options.</summary>
    public static ModelJson Instance { get; } = new(new JsonSerializerOptions(JsonStyle.Options));
}

/// <summary>OpenAI's list of models: those of upstreams, of the routing, and of queues that are named like one.</summary>
internal static class ModelEndpoints
{
    public static void MapModels(this WebApplication app)
    {
        var models = app.MapGroup("/v1/models").WithTags("openai")
            .AnswerFaults(OpenAIErrors.Batch(app.Services.GetRequiredService<TimeProvider>())).WithMetadata(OpenAIErrors.NoCache)
            .Needs(Scope.Read).ForKeysOnly();
        models.MapGet("", ListAsync).Produces<ModelList>().Produces<BatchError>(401).WithSummary("List the models that requests may name.");
        models.MapGet("/{**id}", GetAsync).Produces<ModelObject>().Produces<BatchError>(401).Produces<BatchError>(404)
            .WithSummary("One model.");
    }

    private static async Task<IResult> ListAsync(HttpContext context, QueueCatalog queues, IOptionsMonitor<RoutingOptions> routing,
        IConfiguration configuration) =>
        Results.Json(new ModelList("list", await FindAsync(context, queues, routing, configuration)), ModelJson.Instance.ModelList);

    private static async Task<IResult> GetAsync(string id, HttpContext context, QueueCatalog queues,
        IOptionsMonitor<RoutingOptions> routing, IConfiguration configuration) =>
        (await FindAsync(context, queues, routing, configuration)).Find(m => m.Id == id) is { } model
            ? Results.Json(model, ModelJson.Instance.ModelObject)
            : throw new ApiException(404, "model_not_found", $"there is no model {id}");

    private static async Task<List<ModelObject>> FindAsync(HttpContext context, QueueCatalog queues,
        IOptionsMonitor<RoutingOptions> routing, IConfiguration configuration)
    {
        var access = context.Access();
        var found = new SortedDictionary<string, ModelObject>(StringComparer.Ordinal);
        foreach (var queue in (await queues.AllAsync()).Values)
        {
            if (queue is { Delivery: Delivery.Pull, Endpoint: { } endpoint } && queue.Name != QueueRouter.UpstreamQueue(endpoint)
                && access.CanSeeQueue(queue.Owner, queue.Name))
                found[queue.Name] = ToModel(queue.Name, new DateTimeOffset(queue.CreatedAt).ToUnixTimeSeconds());
        }

        foreach (var name in routing.CurrentValue.Models.Keys.Concat(OfUpstreams(configuration)))
            found.TryAdd(name, ToModel(name, 0));
        return [.. found.Values];
    }

    /// <summary>Upstreams are another role's; their models are in the configuration that both read.</summary>
    private static IEnumerable<string> OfUpstreams(IConfiguration configuration) =>
        configuration.GetSection("TaskQueue:Upstreams").GetChildren().SelectMany(u => u.GetSection("Models").GetChildren())
            .Select(m => m.Value).OfType<string>();

    private static ModelObject ToModel(string name, long created) => new(name, "model", created, "taskqueue");
}
