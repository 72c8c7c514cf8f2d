using System.Text.Json;
using System.Text.Json.Serialization;
using MassTransit;
using TaskQueue.Bus.Senders;
using TaskQueue.Contracts;
using TaskQueue.Engine.Quotas;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Consumers.Tasks;

/// <summary>
/// Accepts tasks of bus producers. Their owner is the tenant of the broker user. Invalid tasks are set aside with the reason; the
/// rest of the message is accepted.
/// </summary>
internal sealed class SubmitConsumer(TaskService taskService, WaitingTaskQuota quota, SetAside aside) : IConsumer<SubmitTasks>
{
    /// <summary>Maximum number of tasks per message.</summary>
    public const int MaxTasks = 1000;

    /// <summary>
    /// Number of refusals after which the tasks of a message are submitted one by one, because each refusal resubmits all the others.
    /// </summary>
    private const int MaxRounds = 5;

    /// <summary>Refused entries may contain NaN and infinities.</summary>
    private static readonly JsonSerializerOptions Json = new() { NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals };

    /// <summary>Maximum characters kept of an entry that is set aside.</summary>
    private const int MaxKept = 64 * 1024;

    public async Task Consume(ConsumeContext<SubmitTasks> context)
    {
        var sender = context.Sender();
        if (UnknownMembers.Problem(context.Message) is { } unknown)
            throw new RefusedMessageException(unknown);
        var tasks = context.Message.Tasks ?? [];
        if (tasks.Count > MaxTasks)
            throw new RefusedMessageException($"it has {tasks.Count} tasks; at most {MaxTasks} go into one message");
        var headers = TraceHeaders.Of(HeaderOf(context, "traceparent"), HeaderOf(context, "tracestate"))?.Into(null);
        var refused = new List<RefusedEntry>();
        var valid = new List<(SubmittedTask Sent, TaskSubmission Task)>(tasks.Count);
        for (var i = 0; i < tasks.Count; i++)
        {
            if (tasks[i] is not { } sent)
            {
                refused.Add(new RefusedEntry($"{context.MessageId}:{i}", "the entry is null"));
                continue;
            }

            var task = ToSubmission(sent, headers, sender.Access.Tenant);
            if ((UnknownMembers.Problem(sent) ?? ProblemOf(task, sender)) is { } problem)
                refused.Add(Refused(sent, problem));
            else
                valid.Add((sent, task));
        }

        await SubmitAsync(valid, refused);
        await aside.EntriesAsync(nameof(SubmitTasks), sender.User, sender.Access.Tenant, refused);
    }

    /// <summary>Submits the valid tasks: removes each one that the database or the queue refuses, and retries the rest.</summary>
    private async Task SubmitAsync(List<(SubmittedTask Sent, TaskSubmission Task)> valid, List<RefusedEntry> refused)
    {
        for (var round = 0; valid.Count > 0; round++)
        {
            if (round == MaxRounds && valid.Count > 1)
            {
                foreach (var one in valid)
                    await SubmitAsync([one], refused);
                return;
            }

            try
            {
                await taskService.SubmitManyAsync(valid.ConvertAll(v => v.Task));
                return;
            }
            catch (TaskIdConflictException conflict)
            {
                refused.AddRange(valid.Where(v => v.Task.Id == conflict.Id).Select(v => Refused(v.Sent, conflict.Message)));
                if (valid.RemoveAll(v => v.Task.Id == conflict.Id) == 0)
                    throw;
            }
            catch (QuotaExceededException full) when (full.Resource == QuotaResource.WaitingTasks)
            {
                // The first tasks of the message take the remaining quota.
                var room = (int)Math.Min(valid.Count - 1, await quota.RoomAsync(valid[0].Task.Owner));
                refused.AddRange(valid.Skip(room).Select(v => Refused(v.Sent, full.Message)));
                valid.RemoveRange(room, valid.Count - room);
            }
            catch (InvalidSubmissionException invalid)
            {
                refused.Add(Refused(valid[invalid.Index].Sent, invalid.Message));
                valid.RemoveAt(invalid.Index);
            }
        }
    }

    private string? ProblemOf(TaskSubmission task, Sender<SubmitTasks> sender) =>
        task.Id == Guid.Empty ? "id must be given"
        : taskService.ProblemOf(task) is { } problem ? problem
        : !sender.Access.Allows(task.Queue) ? $"user '{sender.User}' may not submit to queue {task.Queue}"
        : null;

    /// <summary>Maps only the fields a producer may set.</summary>
    private static TaskSubmission ToSubmission(SubmittedTask sent, string? headers, string? owner) => new(sent.Id, sent.Queue, sent.Payload)
    {
        Tier = sent.Tier,
        Name = sent.Name,
        Priority = sent.Priority,
        ScheduledAt = ToUtc(sent.ScheduledAt),
        ExpiresAt = ToUtc(sent.ExpiresAt),
        MaxAttempts = sent.MaxAttempts,
        Headers = headers,
        DedupeKey = sent.DedupeKey,
        Overwrite = sent.Overwrite,
        OrderingKey = sent.OrderingKey,
        LeaseSeconds = sent.LeaseSeconds,
        Retry = sent.Retry is { } retry ? retry with { Unknown = null } : null,
        Tags = sent.Tags,
        CompletionActions = sent.CallbackUrl is { } url ? new CompletionActions { CallbackUrl = url } : null,
        Owner = owner,
    };

    private static DateTime? ToUtc(DateTime? time) => time is { Kind: DateTimeKind.Local } local ? local.ToUniversalTime()
        : time is { } other ? DateTime.SpecifyKind(other, DateTimeKind.Utc) : null;

    /// <summary>Reads a header from the message's envelope or properties.</summary>
    private static string? HeaderOf(ConsumeContext context, string name) =>
        context.Headers.TryGetHeader(name, out var own) && own is string text ? text
        : context.ReceiveContext.TransportHeaders.TryGetHeader(name, out var outer) ? outer as string : null;

    private static RefusedEntry Refused(SubmittedTask sent, string reason)
    {
        var text = sent.Payload is null || sent.Payload.Length <= MaxKept ? JsonSerializer.Serialize(sent, Json) : null;
        return new RefusedEntry(sent.Id.ToString(), reason, sent.Queue, text?.Length <= 2 * MaxKept ? text : null);
    }
}
