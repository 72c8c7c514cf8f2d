using System.Collections.Concurrent;
using System.Text.Json;
using MassTransit;
using Microsoft.Extensions.Logging;
using TaskQueue.Bus.Connection;
using TaskQueue.Engine;
using TaskQueue.Engine.Replies;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Bus.Replies;

/// <summary>
/// Brings replies to the process whose caller waits: itself, or another one over the bus, as many in one message as wait when
/// the last one was confirmed. Replies of one task keep their order. A reply may be lost with its process; the end of a task
/// is then found in the database.
/// </summary>
public sealed partial class ReplySender(CompletionRouter router, ReplyAddress self, IBus bus, BusAddress address,
    DependencyHealth dependencies, TimeProvider time, ILogger<ReplySender> logger)
    : IReplySender
{
    private const int MaxReplies = 200;

    /// <summary>Characters in one message; a larger reply travels alone.</summary>
    private const int MaxChars = 1024 * 1024;

    /// <summary>A confirm that takes longer will not come.</summary>
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
        foreach (var task in written.Where(t => t.Ending is not null && TaskStates.IsTerminal(t.State)
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
            return null; // it has ended all the same
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
#pragma warning disable CA1031 // the other process looks the end up
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
            return; // the only process is another life of this one: its callers are gone
        // What is given up on stays inside the bus, and what waits behind it here: while the broker is silent a try now and then is enough.
        if (dependencies.Broker.IsFresh)
            throw new BrokerSilentException("the broker did not confirm a moment ago");
        try
        {
            var endpoint = await bus.GetSendEndpoint(new Uri($"exchange:{TaskReplies.Exchange}?type=direct"));
            await endpoint.Send(new TaskReplies(replies), c => c.SetRoutingKey(replyTo)).WaitAsync(Patience, time);
            dependencies.Broker.ReportSuccess();
        }
        catch (TimeoutException fault)
        {
            dependencies.Broker.ReportFailure($"no confirm within {Patience.TotalSeconds:0} s");
            throw new BrokerSilentException($"the broker did not confirm within {Patience.TotalSeconds:0} s", fault);
        }
    }

    [LoggerMessage(LogLevel.Information, "The end of task {TaskId} was not told to the process that waits; it looks it up")]
    private partial void LogLost(Exception fault, Guid taskId);

    /// <summary>Replies to one process. It is there only while some wait, so that lines to processes of the past do not pile up.</summary>
    private sealed class Line(ReplySender sender, string replyTo)
    {
        private readonly Lock _lock = new();
        private readonly Queue<(Reply Reply, TaskCompletionSource Sent)> _waiting = new();
        private int _entered;
        private bool _running, _closed;

        /// <summary>Announces a reply; false where the line was closed meanwhile.</summary>
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
#pragma warning disable CA1031 // those who wait get it
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
                    chars += (next.Reply.Progress?.Data.Length ?? 0) + (next.Reply.End?.Result?.Length
                        ?? 0) + (next.Reply.End?.Error?.Length ?? 0);
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
