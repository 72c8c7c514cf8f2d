using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Options;
using TaskQueue.Api.Http;
using TaskQueue.Contracts;
using TaskQueue.Engine;
using TaskQueue.Engine.Bus;
using TaskQueue.Engine.Queues;

namespace TaskQueue.Api.Queues;

/// <summary>PUT /queues/{name}.</summary>
/// <param name="Delivery"><c>pull</c> (workers claim) or <c>push</c> (dispatched to bus workers).</param>
internal sealed record QueueBody(string? Delivery);

/// <summary>A declared queue.</summary>
internal sealed record QueueDetails(string Name, string Delivery, DateTime CreatedAt);

/// <summary>GET /queues.</summary>
internal sealed record QueueList(IReadOnlyList<QueueDetails> Queues);

[JsonSerializable(typeof(QueueBody))]
[JsonSerializable(typeof(QueueDetails))]
[JsonSerializable(typeof(QueueList))]
internal sealed partial class QueueJson : JsonSerializerContext
{
    /// <summary>The context with the house's options.</summary>
    public static QueueJson Shapes { get; } = new(new JsonSerializerOptions(JsonStyle.Options));
}

/// <summary>Declaring queues. An undeclared queue is a pull queue.</summary>
internal static class QueueEndpoints
{
    public static void MapQueues(this WebApplication app)
    {
        var queues = app.MapGroup("/queues").WithTags("queues").AnswerFaults(HttpRegistration.Problem);
        queues.MapGet("", ListAsync).Produces<QueueList>().WithSummary("The declared queues.");
        queues.MapPut("/{name}", DeclareAsync).Accepts<QueueBody>("application/json").Produces<QueueDetails>().Produces<QueueDetails>(201)
            .ProducesProblem(400).ProducesProblem(409).WithSummary("Declare a queue as pull or push.");
    }

    private static async Task<IResult> ListAsync(QueueCatalog queues) =>
        Results.Json(new QueueList([.. (await queues.AllAsync()).Values.OrderBy(q => q.Name, StringComparer.Ordinal).Select(ToDetails)]), QueueJson.Shapes.QueueList);

    private static async Task<IResult> DeclareAsync(string name, HttpContext context, QueueVerbs queues, BusAddress bus, IOptions<EngineOptions> options)
    {
        var body = await RequestJson.ReadAsync(context, QueueJson.Shapes.QueueBody, BodyLimits.One(options.Value));
        if (!QueueNames.IsValid(name))
            throw new DoorException(400, "invalid_request", $"the name of a queue must be {QueueNames.Rule}");
        if (name is Addresses.SubmitQueue or Addresses.ReportQueue)
            throw new DoorException(400, "invalid_request", $"{name} is a queue of the engine itself; choose another name");
        var delivery = body.Delivery switch
        {
            "pull" => Delivery.Pull,
            "push" => Delivery.Push,
            _ => throw new DoorException(400, "invalid_request", "delivery must be pull or push"),
        };
        if (delivery == Delivery.Push && bus.RabbitMq is null)
            throw new DoorException(409, "no_broker", "a push queue needs bus workers, and the in-process bus has none; set ConnectionStrings:RabbitMq");
        var (queue, created) = await queues.DeclareAsync(name, delivery);
        if (queue.Delivery != delivery)
            throw new DoorException(409, "declared_otherwise", $"queue {name} is declared as {Word(queue.Delivery)} already");
        return Results.Json(ToDetails(queue), QueueJson.Shapes.QueueDetails, statusCode: created ? 201 : 200);
    }

    private static QueueDetails ToDetails(QueueRecord queue) => new(queue.Name, Word(queue.Delivery), queue.CreatedAt);

    private static string Word(Delivery delivery) => delivery.ToString().ToLowerInvariant();
}
