using System.Diagnostics;
using System.Text.Encodings.Web;
using System.Text.Json;
using MassTransit;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;
using TaskQueue.Contracts;

namespace TaskQueue.Client;

/// <summary>
/// Enqueues over RabbitMQ. When a call returns, the broker has confirmed the tasks; the server accepts them a moment later and
/// sets invalid ones aside with the reason. The tasks belong to the tenant of the broker user: see the server's setting
/// TaskQueue:Bus:Producers.
/// </summary>
public sealed class TaskQueueBusProducer : ITaskProducer
{
    private const int MaxMany = 1000;

    /// <summary>The queue of the built-in actions, whose messages have an empty list for omitted and empty data.</summary>
    private const string Tutorial = "tasks";

    /// <summary>Bytes of a message, unless a single task has more.</summary>
    private const int MaxBytes = 8 * 1024 * 1024;

    private readonly ITaskQueueProducerBus _bus;
    private readonly BusProducerOptions _options;
    private readonly TimeProvider _time;
    private readonly ExpiredConfirms _givenUp;
    private readonly ITaskPayloadCodec? _codec;
    private readonly string _user;
    private readonly EnqueuePipeline _pipeline;

    internal TaskQueueBusProducer(ITaskQueueProducerBus bus, BusProducerOptions options, TimeProvider time, ITaskPayloadCodec? codec,
        EnqueuePipeline pipeline)
    {
        _pipeline = pipeline;
        _codec = codec;
        _bus = bus;
        _options = options;
        _time = time;
        _givenUp = new ExpiredConfirms(time);
        _user = options.Tls.UserOf(options.ConnectionString!);
    }

    /// <inheritdoc />
    public async Task<EnqueuedTask> EnqueueAsync(NewTask task, CancellationToken cancellationToken = default) =>
        (await EnqueueManyAsync([task], cancellationToken))[0];

    /// <inheritdoc />
    public async Task<IReadOnlyList<EnqueuedTask>> EnqueueManyAsync(IEnumerable<NewTask> tasks,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(tasks);
        var answers = new List<EnqueuedTask>();
        var (message, bytes) = (new List<SubmittedTask>(), 0L);
        var most = Math.Min(MaxBytes, _options.MaxMessageBytes - MessageSize.Envelope);
        foreach (var given in tasks)
        {
            var task = await _pipeline.PrepareAsync(given, cancellationToken);
            var submission = ToSubmission(_codec.EncodeTask(task));
            var own = MessageSize.Of(submission);
            if (own > _options.MaxMessageBytes - MessageSize.Envelope)
                own = MessageSize.Exactly(submission);
            if (own > _options.MaxMessageBytes - MessageSize.Envelope)
            {
                throw new TaskQueueException($"task {task.Id} has about {own} bytes in a message, and "
                    + $"BusProducerOptions.MaxMessageBytes is {_options.MaxMessageBytes}; tasks before it may be enqueued",
                    413, "too_large");
            }

            if (message.Count == MaxMany || (message.Count > 0 && bytes + own > most))
            {
                await SendAsync(message, cancellationToken);
                (message, bytes) = ([], 0);
            }

            message.Add(submission);
            bytes += own;
            answers.Add(new EnqueuedTask(task.Id, EnqueueResult.Sent));
        }

        if (message.Count > 0)
            await SendAsync(message, cancellationToken);
        return answers;
    }

    private async Task SendAsync(List<SubmittedTask> tasks, CancellationToken cancellationToken) =>
        await _pipeline.Metrics.SendAsync([.. tasks.Select(t => t.Queue)], async () =>
        {
            await SendMeasuredAsync(tasks, cancellationToken);
            return tasks.Count;
        });

    private async Task SendMeasuredAsync(List<SubmittedTask> tasks, CancellationToken cancellationToken)
    {
        using var activity = ClientTelemetry.Source.StartActivity($"send {tasks[0].Queue}", ActivityKind.Producer);
        if (_givenUp.AreTooMany)
            throw new TaskQueueException("the broker has not confirmed earlier messages; nothing was sent", 0, "not_confirmed");
        try
        {
            // Never cancel the send itself: RabbitMQ.Client then miscounts its confirms. It may hang when the connection breaks.
            await _givenUp.WaitAsync(SendAsync(new SubmitTasks(tasks), activity ?? Activity.Current), _options.Timeout, cancellationToken);
        }
        catch (TimeoutException fault)
        {
            throw new TaskQueueException($"the broker did not confirm within {_options.Timeout.TotalSeconds:0} s, for example because user "
                + $"'{_user}' may not write to {Addresses.SubmitQueue}; the tasks may be enqueued, and it is safe to retry",
                0, "not_confirmed", fault);
        }
        catch (Exception fault) when (fault is MessageReturnedException || ReplyCodeOf(fault) == Constants.NotFound)
        {
            throw new TaskQueueException($"the broker has no queue {Addresses.SubmitQueue}: no server has used it yet", 0,
                "no_server", fault);
        }
        catch (Exception fault) when (ReplyCodeOf(fault) == Constants.AccessRefused)
        {
            throw new TaskQueueException($"the broker's user '{_user}' may not write to {Addresses.SubmitQueue}", 0, "forbidden", fault);
        }
        catch (Exception fault) when (IsTooLarge(fault))
        {
            throw new TaskQueueException("the message is larger than the broker takes; set BusProducerOptions.MaxMessageBytes to its "
                + "max_message_size", 413, "too_large", fault);
        }
        catch (Exception fault) when (!cancellationToken.IsCancellationRequested)
        {
            // When a connection breaks, its pending sends fail with exceptions of various types.
            throw new TaskQueueException($"the broker did not confirm: {fault.Message} The tasks may be enqueued, and it is safe to retry",
                0, "not_confirmed", fault);
        }
    }

    /// <summary>Whether data is none to the tutorial, as it is to the server: nothing, null, false or an empty object.</summary>
    private static bool IsNothing(ReadOnlySpan<char> data)
    {
        var text = data.Trim();
        return text is "" or "null" or "false" || (text is ['{', .. var inside, '}'] && inside.IsWhiteSpace());
    }

    /// <summary>Sends the W3C trace context in the message headers if tracing is active.</summary>
    private Task SendAsync(SubmitTasks message, Activity? activity) =>
        ForeignTopology.SendAsync(_bus, Addresses.SubmitQueue, message, _user, context =>
        {
            if (activity is not { IdFormat: ActivityIdFormat.W3C, Recorded: true, Id: { } id })
                return;
            context.Headers.Set("traceparent", id);
            if (activity.TraceStateString is { Length: > 0 } state)
                context.Headers.Set("tracestate", state);
        });

    /// <summary>Only its text tells a large message from other conditions.</summary>
    private static bool IsTooLarge(Exception fault) =>
        ReasonOf(fault) is { ReplyCode: Constants.ContentTooLarge }
            || (ReasonOf(fault) is { ReplyCode: Constants.PreconditionFailed, ReplyText: { } text }
                && text.Contains("message size", StringComparison.OrdinalIgnoreCase));

    /// <summary>The AMQP reply code with which the broker closed the channel, or null.</summary>
    private static ushort? ReplyCodeOf(Exception fault) => ReasonOf(fault)?.ReplyCode;

    private static ShutdownEventArgs? ReasonOf(Exception? fault) =>
        fault is null ? null : (fault as OperationInterruptedException)?.ShutdownReason ?? ReasonOf(fault.InnerException);

    /// <summary>Builds the same message as POST /tasks.</summary>
    private SubmittedTask ToSubmission(NewTask task)
    {
        var data = task.Queue == Tutorial && IsNothing(task.Data) ? "[]" : task.Data ?? "null";
        var name = JsonEncodedText.Encode(task.Name, JavaScriptEncoder.UnsafeRelaxedJsonEscaping);
        return new SubmittedTask(task.Id, task.Queue,
            $$"""{"id":"{{task.Id}}","action":"{{name}}","data":{{data}},"created_at":{{_time.GetUtcNow().ToUnixTimeSeconds()}}}""")
        {
            Name = task.Name,
            Tier = task.Tier,
            Priority = task.Priority,
            ScheduledAt = task.ScheduledAt?.UtcDateTime,
            ExpiresAt = task.ExpiresAt?.UtcDateTime,
            MaxAttempts = task.MaxAttempts,
            DedupeKey = task.DedupeKey,
            Overwrite = task.Overwrite,
            OrderingKey = task.OrderingKey,
            LeaseSeconds = task.Lease?.TotalSeconds,
            Retry = task.Retry,
            Tags = task.Tags is { Count: > 0 } tags ? tags : null,
            CallbackUrl = task.CallbackUrl?.AbsoluteUri,
        };
    }
}
