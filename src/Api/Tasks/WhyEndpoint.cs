using System.Text.Json;
using System.Text.Json.Serialization;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Why;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Json;
using TaskQueue.Http.Requests;

namespace TaskQueue.Api.Tasks;

/// <summary>Why a task does not run.</summary>
internal static class WhyEndpoint
{
    public static void MapWhy(this WebApplication app) =>
        app.MapGroup("/tasks").WithTags("tasks").AnswerFaults(ApiErrors.Problem)
            .MapGet("/{id}/why", AskAsync).Needs(Scope.Read).Produces<TaskWhy>().ProducesProblem(400).ProducesProblem(404)
            .WithSummary("Why a task does not run: what it waits for, and when that ends.");

    private static async Task<IResult> AskAsync(string id, HttpContext context, WhyService why, CancellationToken cancellationToken)
    {
        PageQuery.DemandKnown(context.Request);
        if (!Guid.TryParse(id, out var guid)
            || await why.AskAsync(guid, context.Access(), context.Caller().IsConfined, cancellationToken) is not { } answer)
            throw new ApiException(404, "not_found", $"there is no task {id}");
        return Results.Json(ToWhy(answer), WhyJson.Instance.TaskWhy);
    }

    private static TaskWhy ToWhy(WhyAnswer answer) =>
        new(answer.Id, TaskStates.Word(answer.State), answer.State == TaskStates.Running, answer.Message, [.. answer.Gates.Select(ToGate)]);

    private static TaskGate ToGate(WhyGate gate)
    {
        var holders = gate.Holders.Select(h => new TaskGateHolder(h.TaskId, TaskStates.Word(h.State), h.DueAt, h.LeaseUntil)).ToList();
        return new TaskGate(gate.Gate, gate.Message, gate.OpensAt, holders.FirstOrDefault(), gate.Position, holders);
    }
}

/// <summary>GET /tasks/{id}/why.</summary>
/// <param name="Id">The task.</param>
/// <param name="State">pending, running, retrying, completed, failed, cancelled or expired.</param>
/// <param name="Runs">Whether a worker runs it.</param>
/// <param name="Message">One sentence: what it waits for first, who runs it, or how it ended.</param>
/// <param name="Gates">All that keeps a waiting task from running, in the order in which it is worth a look.</param>
internal sealed record TaskWhy(Guid Id, string State, bool Runs, string Message, IReadOnlyList<TaskGate> Gates);

/// <summary>Something that keeps a task from running.</summary>
/// <param name="Gate">quarantined, expired, due_time, paused, ordering_key, concurrency_limit, rate_limit, tier_lock, push_backlog,
/// no_worker or waiting_turn.</param>
/// <param name="Message">One sentence.</param>
/// <param name="OpensAt">When it opens by itself, if that is known.</param>
/// <param name="Holder">The first of the holders.</param>
/// <param name="Position">ordering_key and waiting_turn: its position among the tasks that wait for the same, from 1; null beyond
/// 1,001, and in a shared queue for a caller that is confined to its tenant.</param>
/// <param name="Holders">Up to five tasks that keep it closed, of those that the caller may read.</param>
internal sealed record TaskGate(
    string Gate, string Message, DateTime? OpensAt, TaskGateHolder? Holder, int? Position, IReadOnlyList<TaskGateHolder> Holders);

/// <summary>A task that keeps a gate closed.</summary>
/// <param name="TaskId">The task.</param>
/// <param name="State">Its state.</param>
/// <param name="DueAt">When it may start, or might have.</param>
/// <param name="LeaseUntil">When its lease ends, if it runs.</param>
internal sealed record TaskGateHolder(Guid TaskId, string State, DateTime DueAt, DateTime? LeaseUntil);

[JsonSerializable(typeof(TaskWhy))]
internal sealed partial class WhyJson : JsonSerializerContext
{
    /// <summary>The context with <see cref="JsonStyle"/>'s options.</summary>
    public static WhyJson Instance { get; } = new(new JsonSerializerOptions(JsonStyle.Options));
}
