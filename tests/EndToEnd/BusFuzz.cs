using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using TaskQueue.Contracts;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>A message as it is published.</summary>
/// <param name="User">Who sends it.</param>
/// <param name="Exchange">Named like the queue that it routes to.</param>
/// <param name="ContentType">May be null.</param>
/// <param name="Body">Its content.</param>
internal sealed record FuzzMessage(string User, string Exchange, string? ContentType, byte[] Body);

/// <summary>
/// Makes nearly valid messages: each kind that clients may send, with a mutation somewhere.
/// </summary>
/// <param name="tasks">Tasks that reports and events refer to.</param>
/// <param name="events">The queue of the server's process for the events of workers.</param>
internal sealed class BusFuzz(IReadOnlyList<Guid> tasks, string events)
{
    public const string Producer = "shop", Worker = "shop-worker", EventWorker = "taskqueue-api";

    private const string Envelope = "application/vnd.masstransit+json";

    private static readonly string[] Queues = ["shop", "shop", "shop-pull", "mail"];
    private static readonly string?[] ContentTypes = [Envelope, Envelope, Envelope, Envelope, Envelope, Envelope, "application/json",
        "application/vnd.masstransit+bson", "text/plain", "\u00fc", null];
    private static readonly DateTime Later = new(2100, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    public FuzzMessage Next(Random random) => random.Next(10) switch
    {
        < 5 => Message(Producer, Addresses.SubmitQueue, nameof(SubmitTasks), Submit(random), random),
        < 9 => Message(Worker, Addresses.ReportQueue, nameof(ReportTasks), Report(random), random),
        _ => new FuzzMessage(EventWorker, events, "application/json", RouteFuzz.Bytes(Mutated(Event(random), random), random)),
    };

    private static FuzzMessage Message(string user, string exchange, string type, object message, Random random)
    {
        JsonNode envelope = new JsonObject
        {
            ["messageId"] = Guid.NewGuid(), ["conversationId"] = Guid.NewGuid(), ["sentTime"] = Later,
            ["headers"] = new JsonObject { ["traceparent"] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
            ["messageType"] = new JsonArray($"urn:message:TaskQueue.Contracts:{type}"), ["message"] = Mutated(message, random),
        };
        if (random.Next(5) == 0)
            envelope = RouteFuzz.Change(envelope, random);
        return new FuzzMessage(user, exchange, ContentTypes[random.Next(ContentTypes.Length)], RouteFuzz.Bytes(envelope, random));
    }

    private static JsonNode Mutated(object message, Random random)
    {
        var node = JsonSerializer.SerializeToNode(message, JsonSerializerOptions.Web)!;
        for (var i = random.Next(0, 4); i > 0; i--)
            node = RouteFuzz.Change(node, random);
        return node;
    }

    private SubmitTasks Submit(Random random) =>
        new([.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => Task(Queues[random.Next(Queues.Length)], random))]);

    private SubmittedTask Task(string queue, Random random)
    {
        var dedupeKey = random.Next(3) == 0 ? $"k{random.Next(5)}" : null;
        return new SubmittedTask(random.Next(3) == 0 ? Id(random) : Guid.NewGuid(), queue, """{"n":1}""")
        {
            Tier = random.Next(3), Name = "resize", Priority = (Priority)random.Next(1, 5), ScheduledAt = Later,
            ExpiresAt = Later.AddDays(1), MaxAttempts = random.Next(1, 10),
            DedupeKey = dedupeKey, Overwrite = dedupeKey is null ? OverwriteFields.None
                : OverwriteFields.Payload, OrderingKey = queue == "shop-pull" ? $"t{random.Next(5)}" : null,
            LeaseSeconds = 15, CallbackUrl = random.Next(4) == 0 ? "https://example.com/x" : null,
        };
    }

    private ReportTasks Report(Random random)
    {
        var (id, attempt) = (Id(random), random.Next(1, 3));
        return new ReportTasks("w", [new AttemptStarted(id, attempt, 3600)], [new AttemptHeartbeat(id, attempt, """{"at":1}""")],
            random.Next(3) == 0
                ? [new AttemptOutcome(id, attempt, random.Next(2) == 0 ? "1" : null, random.Next(2) == 0 ? "e" : null,
                    SnoozeSeconds: random.Next(4) == 0 ? 60 : null)] : []);
    }

    private object Event(Random random) => new
    {
        name = random.Next(2) == 0 ? "task-progress-event" : "task-completion-event", from = "", context = "", timestamp = "1762867000123",
        payload = new { taskId = string.Create(CultureInfo.InvariantCulture, $"TASK-{Id(random)}"), result = new { done = 1 },
            progress = new { at = 1 } },
    };

    private Guid Id(Random random) => random.Next(3) > 0 ? tasks[random.Next(tasks.Count)] : Guid.NewGuid();
}
