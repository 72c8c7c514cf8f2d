using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Audit;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;

namespace TaskQueue.Adapters.Bella;

/// <summary>Queue counts and clearing (bella.md 4.8, 9).</summary>
internal static class BellaConsole
{
    public static void MapBellaConsole(this WebApplication app)
    {
        var console = app.MapGroup("/v1/console").WithTags("bella")
            .AnswerFaults(BellaEndpoints.Error(app.Services.GetRequiredService<TimeProvider>()))
            .WithMetadata(BellaEndpoints.NoCache).Needs(Scope.Read).ForKeysOnly();
        console.MapPost("/{queue}/clear", ClearAsync).Audited("queue.clear").Needs(Scope.Enqueue).Produces<string>()
            .Produces<BellaError>(400).Produces<BellaError>(404)
            .WithSummary("Cancel the waiting tasks of a queue and level (name:level); running tasks continue.");
        console.MapGet("/queue/stats", AllAsync).Produces<List<BellaStats>>()
            .WithSummary("Counts of all offline levels of the registered queues.");
    }

    /// <summary>GET /v1/queue/{name:level}/stats.</summary>
    public static async Task<IResult> StatsAsync(string queue, HttpContext context, QueueCatalog queues, ITaskQueries queries,
        IOptions<BellaOptions> options)
    {
        var level = Parse(queue, context);
        if (await queues.LookUpAsync(level.Queue) is not { } known || !context.Access().CanSeeQueue(known.Owner, known.Name))
            return options.Value.EmptyForUnknown ? Results.Ok() : throw BellaEndpoints.NotRegistered(level.Queue);
        var stats = (await queries.TierStatsAsync(level, context.Access(), context.RequestAborted)).SingleOrDefault()
            ?? new TierStats(level, 0, 0, 0, 0);
        return Results.Json(ToStats(known, stats), BellaJson.Instance.BellaStats);
    }

    private static async Task<IResult> AllAsync(HttpContext context, QueueCatalog queues, ITaskQueries queries)
    {
        var known = (await queues.AllAsync()).Where(q => context.Access().CanSeeQueue(q.Value.Owner, q.Key)).ToDictionary();
        var counted = (await queries.TierStatsAsync(null, context.Access(), context.RequestAborted))
            .Where(s => s.At.Tier > 0 && known.ContainsKey(s.At.Queue)).ToDictionary(s => s.At);
        foreach (var name in known.Keys)
            counted.TryAdd(new(name, 1), new TierStats(new(name, 1), 0, 0, 0, 0)); // registering a queue creates level 1
        List<BellaStats> all = [.. counted.Values.OrderBy(s => known[s.At.Queue].Id).ThenBy(s => s.At.Tier)
            .Select(s => ToStats(known[s.At.Queue], s))];
        return Results.Json(all, BellaJson.Instance.ListBellaStats);
    }

    private static async Task<IResult> ClearAsync(string queue, HttpContext context, QueueCatalog queues, TaskService taskService)
    {
        context.AuditTarget($"queue/{queue}");
        var level = Parse(queue, context);
        var known = await queues.LookUpAsync(level.Queue) ?? throw BellaEndpoints.NotRegistered(level.Queue);
        if (!context.Access().CanChangeQueue(known.Owner, known.Name))
            throw BellaMapping.Wrong($"queue {level.Queue} is not this tenant's own; an administrator of the queue can clear it");
        await taskService.ClearAsync(level, context.Access(), context.RequestAborted);
        return Results.Json(queue, BellaJson.Instance.String);
    }

    private static QueueTier Parse(string queue, HttpContext context)
    {
        var level = QueueNames.Parse(queue, tierRequired: true) ?? throw BellaMapping.Wrong($"'{queue}' is not of the form name:level");
        context.Demand(level.Queue);
        return level;
    }

    /// <summary>The ids are the counts themselves: every put increments them.</summary>
    private static BellaStats ToStats(QueueRecord queue, TierStats stats)
    {
        var put = stats.Ended + stats.Waiting + stats.Running;
        var loaded = put - stats.Waiting;
        var (name, user) = (queue.Owner ?? "", UserId(queue.Owner));
        var shard = $"{queue.Id}-{stats.At.Tier}-{queue.CreatedAt.ToString("yyyyMMddHHmmss", CultureInfo.InvariantCulture)}";
        return new BellaStats(queue.Id, queue.Name, stats.At.Tier, shard, put, shard, loaded, put, loaded, stats.Completed, user, user,
            name, name,
            Local(queue.CreatedAt), Local(queue.UpdatedAt));
    }

    /// <summary>A stable number derived from a name.</summary>
    private static long UserId(string? name) =>
        name is null ? 0 : BinaryPrimitives.ReadUInt32BigEndian(SHA256.HashData(Encoding.UTF8.GetBytes(name)));

    private static string Local(DateTime time) => time.ToString("yyyy-MM-ddTHH:mm:ss", CultureInfo.InvariantCulture);
}
