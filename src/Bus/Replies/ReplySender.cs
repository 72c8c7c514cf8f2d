using System.Collections.Concurrent;
using System.Text.Json;
using MassTransit;
using Microsoft.Extensions.Logging;
using TaskQueue.Bus.Connection;
using TaskQueue.Bus.Dispatch;
using TaskQueue.Engine;
using TaskQueue.Engine.Replies;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Bus.Replies;

/// <summary>
/// Sends replies to the process whose caller waits: this one, or another over the bus, combining all replies that wait when the last
/// message is confirmed. Replies of one task keep their order. A reply may be lost if its process ends; the completion is then found in the
/// database.
/// </summary>
internal sealed partial class ReplySender(CompletionRouter router, ReplyAddress self, IBus bus, BusAddress address,
    AcceptedSizes sizes, DependencyHealth dependencies, TimeProvider time, ILogger<ReplySender> logger)
    : IReplySender
{
    private const int MaxReplies = 200;

    /// <summary>Maximum characters in a message; a larger reply is sent alone.</summary>
    private const int MaxChars = 1024 * 1024;

    /// <summary>Timeout of a confirm.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<string, Line> _lines = new();

    /// <inheritdoc />
    public async Task ProgressAsync(string replyTo, Guid taskId, TaskProgress progress, CancellationToken cancellationToken)
    {
        var reply = new Reply(taskId, progress, null);
        if (replyTo == self.Name)
            await router.DeliverAsync(reply, cancellationToken);
        else
            await LineTo(replyTo).SendAsync(reply).WaitAsync(cancellationToken);
    }

    /// <inheritdoc />
    public void Ended(IEnumerable<TaskState> written)
    {
        foreach (var task in written.Where(t => t.CompletionActions is not null && TaskStates.IsTerminal(t.State)
            && t.Events.Any(e => TaskEvent.IsTerminal(e.Type))))
        {
            if (ReplyToOf(task) is { } replyTo)
                _ = TellAsync(replyTo, new Reply(task.CorrelationId, null, TaskCompletion.Of(task.State, task.Result, task.Error)));
        }
    }

    private static string? ReplyToOf(TaskState task)
    {
        try
        {
            return task.ReplyTo;
        }
        catch (JsonException)
        {
            return null; // the task has ended anyway
        }
    }

    private async Task TellAsync(string replyTo, Reply reply)
    {
        try
        {
            if (replyTo == self.Name)
                await router.DeliverAsync(reply, CancellationToken.None);
            else
                await LineTo(replyTo).SendAsync(reply);
        }
#pragma warning disable CA1031 // the other process polls for the completion
        catch (Exception fault)
#pragma warning restore CA1031
        {
            if (!dependencies.Broker.IsOn)
                LogLost(fault, reply.TaskId);
        }
    }

    private Line LineTo(string replyTo)
    {
        while (true)
        {
            var line = _lines.GetOrAdd(replyTo, _ => new Line(this, replyTo));
            if (line.Enter())
                return line;
        }
    }

    private async Task SendAsync(string replyTo, List<Reply> replies)
    {
        if (address.RabbitMq is null)
            return; // the only process is an earlier run of this one: its callers are gone
        // An abandoned send stays in the bus, and what waits behind it here: while the broker is silent, an occasional try suffices.
        if (dependencies.Broker.IsFresh)
            throw new BrokerSilentException("the broker did not confirm a moment ago");
        var message = new TaskReplies(replies);
        if (await sizes.RefusalAsync(message, replies.Count, replies.Sum(CharsOf)) is { } reason)
        {
            if (replies.Count == 1)
                throw new MessageTooLargeException($"the broker refuses the reply: {reason}");
            foreach (var reply in replies)
                await SendAsync(replyTo, [reply]);
            return;
        }

        try
        {
            var endpoint = await bus.GetSendEndpoint(new Uri($"exchange:{TaskReplies.Exchange}?type=direct"));
            await endpoint.Send(message, c => c.SetRoutingKey(replyTo)).WaitAsync(Patience, time);
            dependencies.Broker.ReportSuccess();
        }
        catch (TimeoutException fault)
        {
            dependencies.Broker.ReportFailure($"no confirm within {Patience.TotalSeconds:0} s");
            throw new BrokerSilentException($"the broker did not confirm within {Patience.TotalSeconds:0} s", fault);
        }
    }

    private static int CharsOf(Reply reply) =>
        (reply.Progress?.Data.Length ?? 0) + (reply.End?.Result?.Length ?? 0) + (reply.End?.Error?.Length ?? 0);

    [LoggerMessage(LogLevel.Information, "Cannot notify the waiting process of the completion of task {TaskId}; it polls for it")]
    private partial void LogLost(Exception fault, Guid taskId);

    /// <summary>Replies to one process. Exists only while some are waiting, so that lines to ended processes do not accumulate.</summary>
    private sealed class Line(ReplySender sender, string replyTo)
    {
        private readonly Lock _lock = new();
        private readonly Queue<(Reply Reply, TaskCompletionSource Sent)> _waiting = new();
        private int _entered;
        private bool _running, _closed;

        /// <summary>Announces a reply; false if the line was closed in the meantime.</summary>
        public bool Enter()
        {
            lock (_lock)
            {
                if (!_closed)
                    _entered++;
                return !_closed;
            }
        }

        public Task SendAsync(Reply reply)
        {
            var sent = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            lock (_lock)
            {
                _entered--;
                _waiting.Enqueue((reply, sent));
                if (!_running)
                {
                    _running = true;
                    _ = Task.Run(RunAsync);
                }
            }

            return sent.Task;
        }

        private async Task RunAsync()
        {
            while (Next() is { Count: > 0 } group)
            {
                try
                {
                    await sender.SendAsync(replyTo, group.ConvertAll(g => g.Reply));
                    group.ForEach(g => g.Sent.TrySetResult());
                }
#pragma warning disable CA1031 // rethrown to the callers
                catch (Exception fault)
#pragma warning restore CA1031
                {
                    group.ForEach(g => g.Sent.TrySetException(fault));
                }
            }
        }

        private List<(Reply Reply, TaskCompletionSource Sent)> Next()
        {
            lock (_lock)
            {
                var group = new List<(Reply, TaskCompletionSource)>();
                for (var chars = 0; group.Count < MaxReplies && _waiting.TryPeek(out var next); _waiting.Dequeue())
                {
                    chars += CharsOf(next.Reply);
                    if (group.Count > 0 && chars > MaxChars)
                        break;
                    group.Add(next);
                }

                if (group.Count == 0)
                {
                    _running = false;
                    _closed = _entered == 0;
                    if (_closed)
                        sender._lines.TryRemove(new(replyTo, this));
                }

                return group;
            }
        }
    }
}
