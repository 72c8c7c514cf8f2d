using Hangfire;
using Hangfire.Client;
using Hangfire.Common;
using Hangfire.Server;
using Hangfire.States;

namespace TaskQueue.Client;

/// <summary>
/// What becomes of the filters of a job: some are settings of the task, some run in the program that enqueues or in the worker as in
/// Hangfire, and some cannot work, because TaskQueue does not have the states of Hangfire.
/// </summary>
internal sealed class JobFilterPlan
{
    private JobFilterPlan(IEnumerable<JobFilter> filters)
    {
        foreach (var filter in filters)
            Add(filter);
    }

    public AutomaticRetryAttribute? Retry { get; private set; }

    public QueueAttribute? Queue { get; private set; }

    public LatencyTimeoutAttribute? Latency { get; private set; }

    public DisableConcurrentExecutionAttribute? Exclusive { get; private set; }

    /// <summary>Filters that run where jobs are enqueued.</summary>
    public List<object> Client { get; } = [];

    /// <summary>Filters that run in the worker.</summary>
    public List<JobFilter> Server { get; } = [];

    /// <summary>Filters that cannot work.</summary>
    public List<string> Refused { get; } = [];

    /// <param name="provider">The filters.</param>
    /// <param name="job">The job; null: only filters of all jobs.</param>
    public static JobFilterPlan Of(IJobFilterProvider provider, Job? job) => new(provider.GetFilters(job!));

    /// <exception cref="NotSupportedException">There are filters that cannot work.</exception>
    public void DemandSupported(string where)
    {
        if (Refused.Count > 0)
            throw new NotSupportedException($"{where}: filters that choose or watch states of a job cannot work, because TaskQueue has "
                + $"states of its own: {string.Join(", ", Refused)}. Remove them, or do their work in an IClientFilter or IServerFilter");
    }

    /// <summary>
    /// Whether <see cref="AutomaticRetryAttribute"/> rules out a retry after an exception; without the attribute there is none either.
    /// </summary>
    public bool IsFinal(Exception fault) =>
        Retry is null or { Attempts: 0 }
        || Retry is { OnlyOn: { Length: > 0 } only } && !only.Any(t => t.IsInstanceOfType(fault))
        || Retry is { ExceptOn: { Length: > 0 } except } && except.Any(t => t.IsInstanceOfType(fault));

    private void Add(JobFilter filter)
    {
        switch (filter.Instance)
        {
            case AutomaticRetryAttribute retry:
                Retry = retry;
                return;
            case QueueAttribute queue:
                Queue = queue;
                return;
            case LatencyTimeoutAttribute latency:
                Latency = latency;
                return;
            case DisableConcurrentExecutionAttribute exclusive when exclusive.GetType() == typeof(DisableConcurrentExecutionAttribute):
                Exclusive = exclusive;
                return;
            case StatisticsHistoryAttribute or ContinuationsSupportAttribute: // TaskQueue has statistics; continuations are tasks
                return;
        }

        if (filter.Instance is IElectStateFilter or IApplyStateFilter or DisableConcurrentExecutionAttribute)
            Refused.Add(filter.Instance.GetType().FullName ?? filter.Instance.GetType().Name);
        if (filter.Instance is IClientFilter or IClientExceptionFilter)
            Client.Add(filter.Instance);
        if (filter.Instance is IServerFilter or IServerExceptionFilter)
            Server.Add(filter);
    }
}
