using System.Diagnostics;
using System.Text.Encodings.Web;
using System.Text.Json;
using MassTransit;
using TaskQueue.Contracts;

namespace TaskQueue.Client;

/// <summary>
/// Enqueues over RabbitMQ. When a call returns the broker has the tasks; the server accepts them a moment later, and what breaks
/// a rule goes to the error queue of the submissions with the reason. Tasks have no owner: the broker's user is trusted.
/// </summary>
public sealed class TaskQueueBusProducer : ITaskProducer
{
    private const int MaxMany = 1000;

    /// <summary>Characters of data in one message.</summary>
    private const int MaxChars = 4 * 1024 * 1024;

    private readonly ITaskQueueProducerBus _bus;
    private readonly BusProducerOptions _options;
    private readonly TimeProvider _time;
    private readonly GivenUpSends _givenUp;
    private readonly ITaskPayloadCodec? _codec;

    internal TaskQueueBusProducer(ITaskQueueProducerBus bus, BusProducerOptions options, TimeProvider time, ITaskPayloadCodec? codec)
    {
        _codec = codec;
        _bus = bus;
        _options = options;
        _time = time;
        _givenUp = new GivenUpSends(time);
    }

    /// <inheritdoc />
    public async Task<EnqueuedTask> EnqueueAsync(NewTask task, CancellationToken cancel = default) => (await EnqueueManyAsync([task], cancel))[0];

    /// <inheritdoc />
    public async Task<IReadOnlyList<EnqueuedTask>> EnqueueManyAsync(IEnumerable<NewTask> tasks, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(tasks);
        var answers = new List<EnqueuedTask>();
        var (message, chars) = (new List<TaskSubmission>(), 0);
        foreach (var task in tasks)
        {
            var submission = ToSubmission(_codec.EncodeTask(task));
            if (message.Count == MaxMany || (message.Count > 0 && chars + submission.Payload.Length > MaxChars))
            {
                await SendAsync(message, cancel);
                (message, chars) = ([], 0);
            }

            message.Add(submission);
            chars += submission.Payload.Length;
            answers.Add(new EnqueuedTask(task.Id, EnqueueResult.Sent));
        }

        if (message.Count > 0)
            await SendAsync(message, cancel);
        return answers;
    }

    private async Task SendAsync(List<TaskSubmission> tasks, CancellationToken cancel)
    {
        using var activity = ClientTelemetry.Source.StartActivity($"send {tasks[0].Queue}", ActivityKind.Producer);
        var headers = TraceHeaders(activity ?? Activity.Current);
        if (_givenUp.AreTooMany)
            throw new TaskQueueException("the broker does not confirm what was sent before; nothing of this was sent", 0, "not_confirmed");
        try
        {
            // The send itself must not be cancelled: RabbitMQ's client miscounts its confirms then. It may hang where a connection breaks.
            await _givenUp.WaitAsync(SendAsync(new SubmitTasks([.. tasks.Select(t => t with { Headers = headers })])), _options.Timeout, cancel);
        }
        catch (TimeoutException fault)
        {
            throw new TaskQueueException($"the broker did not confirm within {_options.Timeout.TotalSeconds:0} s; the tasks may be enqueued, and may be sent again", 0, "not_confirmed", fault);
        }
        catch (MessageReturnedException fault)
        {
            throw new TaskQueueException($"the broker has no queue {Addresses.SubmitQueue}: no server with the role consumers has used it yet", 0, "no_server", fault);
        }
        catch (Exception fault) when (!cancel.IsCancellationRequested)
        {
            // A connection that breaks ends its sends with whatever its parts make of it.
            throw new TaskQueueException($"the broker did not confirm: {fault.Message} The tasks may be enqueued, and may be sent again", 0, "not_confirmed", fault);
        }
    }

    private async Task SendAsync(SubmitTasks message)
    {
        var endpoint = await _bus.GetSendEndpoint(Addresses.Submit);
        await endpoint.Send(message, context =>
        {
            if (context.TryGetPayload<RabbitMqSendContext>(out var rabbitMq))
                rabbitMq.Mandatory = true; // returned where no queue would get it, not dropped
        });
    }

    /// <summary>The same message as POST /tasks makes.</summary>
    private TaskSubmission ToSubmission(NewTask task)
    {
        var data = task.Data ?? "[]";
        var name = JsonEncodedText.Encode(task.Name, JavaScriptEncoder.UnsafeRelaxedJsonEscaping);
        return new TaskSubmission(task.Id, task.Queue, $$"""{"id":"{{task.Id}}","action":"{{name}}","data":{{data}},"created_at":{{_time.GetUtcNow().ToUnixTimeSeconds()}}}""")
        {
            Name = task.Name,
            Level = task.Level,
            Priority = task.Priority,
            ScheduledAt = task.ScheduledAt?.UtcDateTime,
            ExpiresAt = task.ExpiresAt?.UtcDateTime,
            MaxAttempts = task.MaxAttempts,
            DedupeKey = task.DedupeKey,
            Overwrite = task.Overwrite,
            ThreadId = task.ThreadId,
            LeaseSeconds = task.Lease?.TotalSeconds,
            Retry = task.Retry,
            Ending = task.CallbackUrl is { } url ? new TaskEnding { CallbackUrl = url.AbsoluteUri } : null,
        };
    }

    /// <summary>W3C trace context, where somebody traces.</summary>
    private static string? TraceHeaders(Activity? activity)
    {
        if (activity is not { IdFormat: ActivityIdFormat.W3C, Recorded: true, Id: { } id })
            return null;
        return activity.TraceStateString is { Length: > 0 } state
            ? $$"""{"traceparent":"{{id}}","tracestate":"{{JsonEncodedText.Encode(state)}}"}"""
            : $$"""{"traceparent":"{{id}}"}""";
    }
}
