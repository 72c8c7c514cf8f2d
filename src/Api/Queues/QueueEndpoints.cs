using System.Globalization;
using Microsoft.Extensions.Options;
using TaskQueue.Api.Search;
using TaskQueue.Contracts;
using TaskQueue.Engine;
using TaskQueue.Engine.Administration;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Notifications;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Scaling;
using TaskQueue.Engine.Schedules;
using TaskQueue.Engine.Search;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Answers;
using TaskQueue.Http.Audit;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;
using TaskList = TaskQueue.Engine.Tasks.TaskList;

namespace TaskQueue.Api.Queues;

/// <summary>Declares and operates queues. An undeclared queue is a pull queue with default settings.</summary>
internal static class QueueEndpoints
{
    private const int DefaultPage = 100;
    private const int MaxPage = 1000;

    /// <summary>How long a list waits for the names of undeclared queues before it uses the previous ones.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    public static void MapQueues(this WebApplication app)
    {
        var queues = app.MapGroup("/queues").WithTags("queues").AnswerFaults(ApiErrors.Problem).DemandQueue("name").Needs(Scope.Admin);
        queues.MapGet("", ListAsync).Needs(Scope.Read).Produces<QueueList>()
            .WithSummary("List the declared queues, and undeclared ones with tasks of any state (version 0).");
        queues.MapPut("/{name}", PutAsync).Audited("queue.put").TakesJson<QueueBody>().Produces<QueueDetails>().Produces<QueueDetails>(201)
            .ProducesProblem(400).ProducesProblem(409).ProducesProblem(429)
            .WithSummary("Declare a queue, or replace all its settings; without paused it stays paused or open.");
        queues.MapGet("/{name}", GetAsync).Needs(Scope.Read).Produces<QueueDetails>().ProducesProblem(404)
            .WithSummary("Get a queue with its counts.");
        queues.MapDelete("/{name}", DeleteAsync).Audited("queue.delete").Produces(204).ProducesProblem(404)
            .WithSummary("Delete a queue with its schedules, its waiting and running tasks and its dead letters. Of an undeclared one, "
                + "delete those tasks that the caller may see.");
        queues.MapPost("/{name}/pause", PauseAsync).Audited("queue.pause").Produces<QueueDetails>().ProducesProblem(404)
            .WithSummary("Pause a queue; running tasks continue. An undeclared one with tasks is declared with default settings.");
        queues.MapPost("/{name}/resume", ResumeAsync).Audited("queue.resume").Produces<QueueDetails>().ProducesProblem(404)
            .WithSummary("Resume a paused queue.");
        queues.MapPost("/{name}/purge", PurgeAsync).Audited("queue.purge").Produces(204).ProducesProblem(404)
            .WithSummary("Delete the waiting and running tasks and the dead letters of a queue; of an undeclared one those that the caller "
                + "may see.");
        queues.MapPost("/{name}/redrive", RedriveAsync).Audited("queue.redrive").Produces<RedriveResult>().ProducesProblem(404)
            .WithSummary("Requeue all dead letters; of an undeclared queue those that the caller may see.");
        queues.MapGet("/{name}/tasks", TasksAsync).Needs(Scope.Read).Produces<QueueTasks>().ProducesProblem(400)
            .TakesQuery("list", "live (waiting, running and dead letters; the default), waiting, running or dead.")
            .TakesWhole("limit", "1 to 1000; default 100.").TakesQuery("after", "Value of next from the previous page.")
            .WithSummary("List the tasks of a queue, declared or not, in pages.");
    }

    private static async Task<IResult> ListAsync(HttpContext context, QueueCatalog queues, BacklogWatch backlog, ITaskQueries tasks,
        Redaction redaction)
    {
        await Task.WhenAny(backlog.RefreshAsync(), Task.Delay(Patience, context.RequestAborted));
        var declared = await queues.AllAsync();
        var access = context.Access();
        // Undeclared queues are known only from their tasks.
        var named = access.SeesAllTenants ? backlog.Queues : await tasks.QueuesAsync(access, context.RequestAborted);
        var ended = await tasks.EndedQueuesAsync(access, context.RequestAborted);
        var all = declared.Values.Concat(named.Union(ended).Where(name => !declared.ContainsKey(name)).Select(Undeclared));
        return Results.Json(new QueueList([.. all.Where(q => access.CanSeeQueue(q.Owner, q.Name))
            .OrderBy(q => q.Name, StringComparer.Ordinal).Select(q => Shown(QueueMapping.ToDetails(q), context, redaction))]),
                QueueJson.Instance.QueueList);
    }

    /// <summary>An undeclared queue with default settings.</summary>
    private static QueueRecord Undeclared(string name) => new() { Name = name, Version = 0 };

    private static async Task<IResult> PutAsync(string name, HttpContext context, QueueService queues, QueueCatalog catalog,
        BusTransport bus, SubmitterTokens tokens, IOptions<EngineOptions> options)
    {
        var body = await RequestJson.ReadAsync(context, QueueJson.Instance.QueueBody, BodyLimits.One(options.Value));
        if (!QueueNames.IsValid(name))
            throw QueueMapping.Wrong($"the name of a queue must be {QueueNames.Rule}");
        if (name is Addresses.SubmitQueue or Addresses.ReportQueue)
            throw QueueMapping.Wrong($"{name} is a queue of the engine itself; choose another name");
        var settings = QueueMapping.ToSettings(body);
        if (settings.SubmitterToken && !tokens.IsOn)
            throw new ApiException(409, "no_token_key", "submitter_token needs a key to sign tokens with: set TaskQueue:Auth:TokenKey");
        var owner = OwnerOf(name, context);
        while (true)
        {
            var known = await catalog.LookUpAsync(name);
            var delivery = ToDelivery(body.Delivery, known);
            if (known is not null)
                DemandChange(context, known);
            if (known is not null)
                return await UpdateAsync(context, queues, name, settings, body) ?? throw NotFound(name);
            if (body.ExpectedVersion is not null)
                throw NotFound(name);
            if (delivery == Delivery.Push && bus.IsInProcess)
                throw new ApiException(409, "no_broker",
                    "a push queue needs bus workers, and the in-process bus has none; set ConnectionStrings:RabbitMq");
            if (await queues.CreateAsync(name, delivery, settings, owner: owner) is { } created)
            {
                context.AuditAfter(created);
                return Results.Json(QueueMapping.ToDetails(created), QueueJson.Instance.QueueDetails, statusCode: 201);
            }
        }
    }

    private static Delivery ToDelivery(string? word, QueueRecord? known)
    {
        var delivery = word switch
        {
            null => known?.Delivery ?? Delivery.Pull,
            "pull" => Delivery.Pull,
            "push" => Delivery.Push,
            _ => throw QueueMapping.Wrong("delivery must be pull or push"),
        };
        return known is null || known.Delivery == delivery
            ? delivery
            : throw new ApiException(409, "declared_otherwise",
                $"queue {known.Name} is declared as {QueueMapping.Word(known.Delivery)} already");
    }

    /// <summary>Replaces the settings. A service that declares its queues when it starts must not resume what an operator paused.</summary>
    private static async Task<IResult?> UpdateAsync(HttpContext context, QueueService queues, string name, QueueSettings settings,
        QueueBody body)
    {
        var (change, queue) = await queues.UpdateAsync(
            name, before => body.Paused is null ? settings with { Paused = before.Paused } : settings, body.ExpectedVersion);
        if (change == QueueChange.Done)
            context.AuditAfter(queue!);
        return change switch
        {
            QueueChange.Done => Results.Json(QueueMapping.ToDetails(queue!), QueueJson.Instance.QueueDetails),
            QueueChange.VersionMismatch =>
                throw new ApiException(409, "version_mismatch",
                    $"queue {name} has version {queue!.Version}, not {body.ExpectedVersion}; read it again"),
            _ => null,
        };
    }

    private static async Task<IResult> GetAsync(string name, HttpContext context, QueueService queues, QueueCatalog catalog,
        ITaskQueries tasks, Redaction redaction, TimeProvider time)
    {
        var queue = await catalog.LookUpAsync(name);
        var stats = await queues.StatsAsync(name, context.Access(), context.RequestAborted);
        if (queue is not null && !context.Access().CanSeeQueue(queue.Owner, name))
            throw NotFound(name);
        if (queue is null && !await queues.IsKnownAsync(name, stats, context.Access(), context.RequestAborted))
            throw NotFound(name);
        var later = stats.Waiting == 0 ? 0 : await tasks.LaterAsync(name, context.Access(), context.RequestAborted);
        return Results.Json(Shown(QueueMapping.ToDetails(queue ?? Undeclared(name), stats, time.GetUtcNow().UtcDateTime, later), context,
            redaction), QueueJson.Instance.QueueDetails);
    }

    private static async Task<IResult> DeleteAsync(string name, HttpContext context, QueueService queues, QueueCatalog catalog,
        TaskService tasks)
    {
        if (name == BuiltInQueues.Tasks)
            throw new ApiException(409, "built_in", $"{name} is the queue behind POST /tasks and cannot be deleted; purge it instead");
        if (await FindAsync(name, context, queues, catalog) is null)
            return await PurgeUndeclaredAsync(name, context, queues, tasks);
        return await queues.DeleteAsync(name) ? Results.NoContent() : throw NotFound(name);
    }

    private static Task<IResult> PauseAsync(string name, HttpContext context, QueueService queues, QueueCatalog catalog) =>
        SetPausedAsync(name, context, queues, catalog, true);

    private static Task<IResult> ResumeAsync(string name, HttpContext context, QueueService queues, QueueCatalog catalog) =>
        SetPausedAsync(name, context, queues, catalog, false);

    private static async Task<IResult> SetPausedAsync(string name, HttpContext context, QueueService queues, QueueCatalog catalog,
        bool paused)
    {
        if (paused)
            await DeclareAsync(name, context, queues, catalog);
        else if (await FindAsync(name, context, queues, catalog) is null)
            return Results.Json(QueueMapping.ToDetails(Undeclared(name)), QueueJson.Instance.QueueDetails); // it is not paused
        var (_, queue) = await queues.UpdateAsync(name, settings => settings with { Paused = paused });
        if (queue is null)
            throw NotFound(name);
        context.AuditAfter(queue);
        return Results.Json(QueueMapping.ToDetails(queue), QueueJson.Instance.QueueDetails);
    }

    private static async Task<IResult> PurgeAsync(string name, HttpContext context, QueueService queues, QueueCatalog catalog,
        TaskService tasks)
    {
        if (await FindAsync(name, context, queues, catalog) is null)
            return await PurgeUndeclaredAsync(name, context, queues, tasks);
        return await queues.PurgeAsync(name) ? Results.NoContent() : throw NotFound(name);
    }

    private static async Task<IResult> RedriveAsync(string name, HttpContext context, QueueService queues, QueueCatalog catalog,
        TaskService tasks, CancellationToken cancellationToken)
    {
        var queue = await FindAsync(name, context, queues, catalog);
        var (restarted, skipped) = await tasks.RedriveAsync(name, cancellationToken, queue is null ? context.Access() : Access.All);
        var redriven = new RedriveResult(restarted, skipped);
        context.AuditAfter(redriven, QueueJson.Instance.RedriveResult);
        return Results.Json(redriven, QueueJson.Instance.RedriveResult);
    }

    private static async Task<IResult> TasksAsync(string name, HttpContext context, ITaskQueries queries, ScheduleService schedules,
        Redaction redaction, CancellationToken cancellationToken)
    {
        var request = context.Request;
        PageQuery.DemandKnown(request, "list", "limit", "after");
        var list = request.Query["list"].ToString() is { Length: > 0 } word
            ? Enum.TryParse<TaskList>(word, ignoreCase: true, out var known) && Enum.IsDefined(known) ? known
                : throw QueueMapping.Wrong("list must be live, waiting, running or dead")
            : TaskList.Live;
        var limit = request.Query["limit"].ToString() is { Length: > 0 } number
            ? int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var whole) && whole is >= 1 and <= MaxPage ? whole
                : throw QueueMapping.Wrong($"limit must be 1 to {MaxPage}")
            : DefaultPage;
        var after = request.Query["after"].ToString() is { Length: > 0 } text ? QueueCursor.Parse(text)
            ?? throw QueueMapping.Wrong("after must be next of another page") : null;
        var page = await queries.ListAsync(name, list, after, limit, context.Access(), cancellationToken,
            reserve: context.Memory().ReserveAnswerAsync);
        var redactor = redaction.For(context.Caller());
        var names = page.Tasks.Any(task => task.ScheduleId is not null)
            ? (await schedules.ListAsync(name, context.Access())).ToDictionary(s => s.Id, s => s.Name) : [];
        return Results.Json(new QueueTasks(
            [.. page.Tasks.Select(task => SearchMapping.ToFound(
                new FoundTask(task, task.ScheduleId is { } id ? names.GetValueOrDefault(id) : null), redactor))],
            page is { HasMore: true, Last: { } last } ? QueueCursor.ToText(last) : null), QueueJson.Instance.QueueTasks);
    }

    /// <summary>Demands that the caller may change a queue.</summary>
    /// <returns>The queue; null if it is not declared, and has tasks of the caller.</returns>
    private static async Task<QueueRecord?> FindAsync(string name, HttpContext context, QueueService queues, QueueCatalog catalog)
    {
        if (await catalog.LookUpAsync(name) is { } known)
        {
            DemandChange(context, known);
            return known;
        }

        var (access, cancellationToken) = (context.Access(), context.RequestAborted);
        if (!QueueNames.IsValid(name)
            || !await queues.IsKnownAsync(name, await queues.StatsAsync(name, access, cancellationToken), access, cancellationToken))
            throw NotFound(name);
        context.DemandChange(name, OwnerOf(name, context));
        return null;
    }

    /// <summary>
    /// Declares a queue that has tasks of the caller, but is not declared, with the default settings and paused. It belongs to the caller's
    /// tenant, or is shared, and holds nobody else's tasks.
    /// </summary>
    private static async Task DeclareAsync(string name, HttpContext context, QueueService queues, QueueCatalog catalog)
    {
        var settings = QueueSettings.Default with { Paused = true };
        while (await FindAsync(name, context, queues, catalog) is null
            && await queues.CreateAsync(name, Delivery.Pull, settings, owner: OwnerOf(name, context)) is null)
        {
        }
    }

    /// <summary>Nobody has declared it, so nobody owns it: the tasks of others stay.</summary>
    private static async Task<IResult> PurgeUndeclaredAsync(string name, HttpContext context, QueueService queues, TaskService tasks)
    {
        if (context.Access().Others.Match(name))
            await queues.PurgeUndeclaredAsync(name);
        else
            await tasks.PurgeAsync(name, context.Access(), context.RequestAborted);
        return Results.NoContent();
    }

    /// <summary>A queue created by an administrator of all tenants is shared.</summary>
    private static string? OwnerOf(string name, HttpContext context) =>
        context.Access() is var access && access.Others.Match(name) ? null : access.Tenant;

    private static void DemandChange(HttpContext context, QueueRecord queue)
    {
        if (!context.Access().CanSeeQueue(queue.Owner, queue.Name))
            throw NotFound(queue.Name);
        context.AuditBefore(queue);
        context.DemandChange(queue.Name, queue.Owner);
    }

    private static QueueDetails Shown(QueueDetails queue, HttpContext context, Redaction redaction) =>
        queue with { Description = redaction.For(context.Caller()).Text("description", queue.Description) };

    private static ApiException NotFound(string name) => new(404, "not_found", $"there is no queue {name}");
}
