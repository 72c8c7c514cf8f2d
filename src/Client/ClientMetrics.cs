using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace TaskQueue.Client;

/// <summary>Metrics of clients and workers, named as OpenTelemetry's conventions for messaging.</summary>
internal sealed class ClientMetrics
{
    private static readonly InstrumentAdvice<double> Seconds = new()
    {
        HistogramBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600],
    };

    private readonly Counter<long> _sent;
    private readonly Histogram<double> _sending;
    private readonly Counter<long> _consumed;
    private readonly Histogram<double> _processing;
    private readonly UpDownCounter<long> _running;

    public ClientMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(ClientTelemetry.MeterName);
        _sent = meter.CreateCounter<long>("messaging.client.sent.messages", "{message}", "Tasks enqueued, or refused");
        _sending = meter.CreateHistogram<double>(
            "messaging.client.operation.duration", "s", "Duration of requests that enqueue tasks, with their retries", tags: null, Seconds);
        _consumed = meter.CreateCounter<long>("messaging.client.consumed.messages", "{message}", "Attempts begun by workers");
        _processing = meter.CreateHistogram<double>("messaging.process.duration", "s", "Duration of attempts", tags: null, Seconds);
        _running = meter.CreateUpDownCounter<long>("taskqueue.client.running", "{task}", "Attempts that run");
    }

    /// <summary>Measures a request that enqueues tasks: its duration under the queue of the first one.</summary>
    /// <param name="queues">The queue of each task.</param>
    /// <param name="send">Sends it.</param>
    public async Task<T> SendAsync<T>(IReadOnlyList<string> queues, Func<Task<T>> send)
    {
        var start = Stopwatch.GetTimestamp();
        string? error = null;
        try
        {
            return await send();
        }
        catch (Exception fault)
        {
            error = fault is TaskQueueException { Code: { } code } ? code : fault.GetType().FullName;
            throw;
        }
        finally
        {
            foreach (var (queue, tasks) in queues.CountBy(q => q))
                _sent.Add(tasks, SendTags(queue, error));
            _sending.Record(Stopwatch.GetElapsedTime(start).TotalSeconds, SendTags(queues[0], error));
        }
    }

    private static TagList SendTags(string queue, string? error)
    {
        var tags = Tags(queue, "send");
        if (error is not null)
            tags.Add("error.type", error);
        return tags;
    }

    /// <summary>Measures an attempt until it is disposed.</summary>
    /// <param name="attempt">The attempt.</param>
    /// <param name="isKnown">Whether its name has a processor: other names are no label, because there may be any number of them.</param>
    public Measured Begin(Attempt attempt, bool isKnown) => new(this, attempt, isKnown);

    private static TagList Tags(string queue, string operation) => new()
    {
        { "messaging.system", "taskqueue" },
        { "messaging.destination.name", queue },
        { "messaging.operation.name", operation },
    };

    /// <summary>An attempt being measured.</summary>
    internal sealed class Measured : IDisposable
    {
        private readonly ClientMetrics _metrics;
        private readonly Attempt _attempt;
        private readonly TagList _tags;
        private readonly long _start = Stopwatch.GetTimestamp();
        private TaskOutcome? _outcome;
        private string? _errorType;

        public Measured(ClientMetrics metrics, Attempt attempt, bool isKnown)
        {
            (_metrics, _attempt) = (metrics, attempt);
            var tags = Tags(attempt.Item.Queue, "process");
            if (isKnown)
                tags.Add("taskqueue.task.name", attempt.Item.Name);
            _tags = tags;
            metrics._consumed.Add(1, tags);
            metrics._running.Add(1, tags);
        }

        /// <summary>The attempt ended with an outcome.</summary>
        public void End(TaskOutcome outcome) => (_outcome, _errorType) = (outcome, outcome.ErrorType);

        /// <summary>The attempt ended with an exception.</summary>
        public void End(Exception fault) => (_outcome, _errorType) = (null, fault.GetType().FullName);

        public void Dispose()
        {
            _metrics._running.Add(-1, _tags);
            var tags = _tags;
            // An attempt at its time limit has an outcome already, and one that lost its lease has none that counts.
            var outcome = _attempt.Outcome ?? _outcome;
            var word = _attempt.IsLost ? "lost" : outcome switch
            {
                { Delay: not null } => "snoozed",
                { IsCompleted: true } => "completed",
                null when _attempt.Cancelled.IsCancellationRequested => "snoozed", // the worker stops
                _ => "failed",
            };
            tags.Add("taskqueue.outcome", word);
            if (word == "failed")
                tags.Add("error.type", _errorType ?? "_OTHER");
            _metrics._processing.Record(Stopwatch.GetElapsedTime(_start).TotalSeconds, tags);
        }
    }
}
