using System.Text.Json;
using MassTransit;
using Microsoft.Extensions.Caching.Memory;
using TaskQueue.Bus;
using TaskQueue.Bus.Senders;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Ids;
using TaskQueue.Engine.Replies;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Errors;

namespace TaskQueue.Adapters.Bella;

/// <summary>Progress and completions reported by workers, over HTTP or the bus.</summary>
internal sealed class BellaEvents(CompletionRouter router, IReplySender sender, ITaskQueries queries, TaskService taskService,
    TimeProvider time) : IDisposable
{
    private const int MaxKnown = 100_000;

    private readonly MemoryCache _known = new(new MemoryCacheOptions { SizeLimit = MaxKnown });

    public void Dispose() => _known.Dispose();

    /// <summary>Forwards progress to the caller of a task, in whichever process it waits.</summary>
    /// <returns>Whether the task may still have a waiting caller.</returns>
    /// <exception cref="ApiException">503: the broker did not accept it.</exception>
    public async Task<bool> ProgressAsync(Guid taskId, TaskProgress progress, Access access, CancellationToken cancellationToken)
    {
        if (!await MayReportAsync(taskId, access, cancellationToken))
            return false;
        if (router.Holds(taskId))
            return await router.DeliverAsync(new Reply(taskId, progress, null), cancellationToken);
        if (await FindReplyToAsync(taskId, cancellationToken) is not { } replyTo)
            return false;
        try
        {
            await sender.ProgressAsync(replyTo, taskId, progress, cancellationToken);
            return true;
        }
        catch (BrokerSilentException)
        {
            throw new ApiException(503, "broker_unavailable", "the broker is unavailable; try again");
        }
    }

    /// <summary>Completes a task with a result. Tasks that cannot be completed are left unchanged (bella.md 4.5).</summary>
    public async Task CompleteAsync(Guid taskId, string result, Access access, CancellationToken cancellationToken)
    {
        if (await queries.FindAsync(taskId, access, cancellationToken, texts: false) is { } task
            && !(task.ExpiresAt < time.GetUtcNow().UtcDateTime))
            await taskService.ApplyAsync([taskService.Complete(taskId, task.Attempt, worker: null, result)], access);
    }

    /// <summary>Forwards progress from the bus to a caller in this process, if the sender may report on the task.</summary>
    public async Task ProgressFromBusAsync(Guid taskId, TaskProgress progress, Access access, CancellationToken cancellationToken)
    {
        if (router.Holds(taskId) && await MayReportAsync(taskId, access, cancellationToken))
            await router.DeliverOrDropAsync(new Reply(taskId, progress, null));
    }

    /// <summary>Caches the database's answer briefly, because a stream has many parts.</summary>
    private async Task<bool> MayReportAsync(Guid taskId, Access access, CancellationToken cancellationToken)
    {
        if (access == Access.All)
            return true;
        var key = (taskId, access.Credential);
        if (_known.TryGetValue(key, out bool may))
            return may;
        var task = await queries.FindAsync(taskId, access, cancellationToken, texts: false);
        may = task is not null && (access.Credential is null || access.Credential == task.ClaimedBy);
        _known.Set(key, may, new MemoryCacheEntryOptions { Size = 1, AbsoluteExpirationRelativeToNow = TimeSpan.FromSeconds(1) });
        return may;
    }

    private async Task<string?> FindReplyToAsync(Guid taskId, CancellationToken cancellationToken)
    {
        if (_known.TryGetValue(taskId, out string? known))
            return known;
        var task = await queries.FindAsync(taskId, Access.All, cancellationToken, texts: false);
        var replyTo = task is null || TaskStates.IsTerminal(task.State) ? null : task.ReplyTo;
        if (replyTo is not null)
            _known.Set(taskId, replyTo, new MemoryCacheEntryOptions { Size = 1, SlidingExpiration = TimeSpan.FromMinutes(10) });
        return replyTo;
    }
}

/// <summary>An event published by workers (bella.md 8) to the queue named topic + instance_id of its task.</summary>
[ConfigureConsumeTopology(false)]
[ExcludeFromTopology]
[SentBy(SenderRole.EventWorker)]
internal sealed record BellaBusEvent
{
    /// <summary>Name prefix of those queues.</summary>
    public const string Topic = "taskqueue.events:";

    /// <summary><c>task-progress-event</c> or <c>task-completion-event</c>.</summary>
    public string? Name { get; init; }

    /// <summary>An object, or its JSON as a string.</summary>
    public JsonElement Payload { get; init; }
}

/// <summary>Consumes workers' events from the bus, in order.</summary>
internal sealed partial class BellaBusEventConsumer(BellaEvents events, ILogger<BellaBusEventConsumer> logger) : IConsumer<BellaBusEvent>
{
    /// <summary>The endpoint of the Api role.</summary>
    public static BusRole Role(ReplyAddress self) => new(
        bus => bus.AddConsumer<BellaBusEventConsumer>(),
        (context, endpoints) => endpoints.OwnQueue("bella-events", BellaBusEvent.Topic + self.Name, e =>
        {
            e.UseRawJsonDeserializer(RawSerializerOptions.AnyMessageType, isDefault: true);
            e.ConfigureConsumer<BellaBusEventConsumer>(context);
        }));

    public async Task Consume(ConsumeContext<BellaBusEvent> context)
    {
        try
        {
            var payload = context.Message.Payload;
            using var document = JsonDocument.Parse(payload.ValueKind == JsonValueKind.String ? payload.GetString()!
                : payload.GetRawText());
            await ConsumeAsync(context.Message.Name, document.RootElement, context.Sender().Access, context.CancellationToken);
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            LogUnreadable(fault.Message); // a redelivery would fail the same way
        }
    }

    private async Task ConsumeAsync(string? name, JsonElement payload, Access access, CancellationToken cancellationToken)
    {
        if (payload.GetProperty("taskId").GetString() is not { } text || NumberedTaskId.ParseAny(text) is not { } id)
            return;
        if (name == "task-progress-event")
        {
            await events.ProgressFromBusAsync(id, Progress(payload), access, cancellationToken);
        }
        else if (name == "task-completion-event")
        {
            var result = payload.TryGetProperty("result", out var r) && r.ValueKind != JsonValueKind.Null ? r.GetRawText() : "{}";
            await events.CompleteAsync(id, result, access, cancellationToken);
        }
    }

    private static TaskProgress Progress(JsonElement payload) =>
        new(Text(payload, "eventId"), Text(payload, "eventName"), payload.TryGetProperty("eventData", out var data) ? data.GetRawText()
            : "null");

    private static string? Text(JsonElement payload, string name) =>
        payload.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null
            ? value.ValueKind == JsonValueKind.String ? value.GetString() : value.GetRawText()
            : null;

    [LoggerMessage(LogLevel.Warning, "An event of a worker could not be read: {Problem}")]
    private partial void LogUnreadable(string problem);
}
