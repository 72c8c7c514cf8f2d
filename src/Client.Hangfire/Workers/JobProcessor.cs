using System.Globalization;
using System.Runtime.ExceptionServices;
using System.Text.Json;
using Hangfire;
using Hangfire.Common;
using Hangfire.Server;
using Microsoft.Extensions.DependencyInjection;

namespace TaskQueue.Client;

/// <summary>Runs the jobs of a worker: checks them against what is allowed, then calls them as Hangfire's server does.</summary>
internal sealed class JobProcessor
{
    /// <summary>Set by Hangfire in the items of a context that a filter cancelled.</summary>
    private const string CanceledBy = "X_HF_Canceled";

    private readonly HangfireJobOptions _options;
    private readonly JobAllowlist _allowed;
    private readonly JobArguments _arguments;

    /// <exception cref="ArgumentException">No type is allowed.</exception>
    /// <exception cref="NotSupportedException">A filter cannot work on TaskQueue.</exception>
    public JobProcessor(HangfireJobOptions options)
    {
        if (options.Types.Count == 0)
            throw new ArgumentException("UseHangfireJobs: allow at least one type, such as jobs.Allow<Mailer>()", nameof(options));
        _options = options;
        _arguments = new JobArguments(options.Converters);
        _allowed = new JobAllowlist(new Dictionary<string, Type>(options.Types, StringComparer.Ordinal));
        JobFilterPlan.Of(options.Filters, null).DemandSupported("GlobalJobFilters");
        CheckFilters();
        TaskNames = _allowed.All.Select(a => JobNames.TaskOf(a.Type, a.Method.Name)).ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>The names of the tasks that it runs.</summary>
    public IReadOnlyCollection<string> TaskNames { get; }

    /// <summary>Runs a task.</summary>
    public async Task<TaskOutcome> RunAsync(IServiceProvider services, TaskContext task, CancellationToken cancellationToken)
    {
        JobPayload payload;
        Job job;
        JobFilterPlan plan;
        try
        {
            payload = JobPayload.Read(task);
            job = Load(payload, task);
            DemandPlain(payload);
            plan = JobFilterPlan.Of(_options.Filters, job);
        }
        catch (JobRefusedException refused)
        {
            return TaskOutcome.Failed(refused.Message);
        }

        plan.DemandSupported($"{JobNames.Readable(job.Type)}.{job.Method.Name}");
        var time = services.GetService<TimeProvider>() ?? TimeProvider.System;
        var createdAt = CreatedAt(task) ?? time.GetUtcNow();
        if (payload.Parent is { } parent && await Continuations.CheckAsync(services.GetRequiredService<TaskQueueClient>(), parent,
            (JobContinuationOptions)(payload.ContinueOn ?? 0), time.GetUtcNow() - createdAt, task, cancellationToken) is { } outcome)
            return outcome;
        var background = new BackgroundJob(task.Id.ToString(), job, createdAt.UtcDateTime, ParametersOf(payload, task));
        return await PerformAsync(services, task, background, plan, cancellationToken);
    }

    private async Task<TaskOutcome> PerformAsync(
        IServiceProvider services, TaskContext task, BackgroundJob job, JobFilterPlan plan, CancellationToken cancellationToken)
    {
        var context = new PerformContext(TaskQueueStorage.Instance, new TaskQueueConnection(job.Id, job.ParametersSnapshot), job,
            new JobToken(cancellationToken));
        var performer = new BackgroundJobPerformer(new ServerFilters(plan.Server), ScopedJobActivator.Choose(_options, services),
            TaskScheduler.Default);
        object? result;
        try
        {
            // Hangfire's performer blocks until the job has ended, so it gets a thread of its own.
            result = await Task.Factory.StartNew(() => performer.Perform(context), CancellationToken.None,
                TaskCreationOptions.LongRunning | TaskCreationOptions.DenyChildAttach, TaskScheduler.Default);
        }
        catch (JobPerformanceException wrapped) when (wrapped.InnerException is { } fault)
        {
            if (plan.IsFinal(fault))
                return TaskOutcome.FailedBy(fault);
            ExceptionDispatchInfo.Throw(fault); // the attempt failed as if the job had been called directly
            throw;
        }

        if (context.Items.TryGetValue(CanceledBy, out var filter))
            task.Log($"cancelled by the filter {filter}");
        return result is null ? TaskOutcome.Completed() : ResultOf(result, task);
    }

    private TaskOutcome ResultOf(object result, TaskContext task)
    {
        try
        {
            return TaskOutcome.CompletedJson(_arguments.ToText(result, result.GetType()));
        }
#pragma warning disable CA1031 // as in Hangfire, the job has succeeded whatever becomes of its result
        catch (Exception fault)
#pragma warning restore CA1031
        {
            task.Log($"the result, a {result.GetType()}, cannot be written as JSON: {fault.Message}", TaskLogLevel.Warning);
            return TaskOutcome.Completed();
        }
    }

    private Job Load(JobPayload payload, TaskContext task)
    {
        var ((type, method), queue) = (_allowed.Find(payload), task.Queue);
        if (JobNames.TaskOf(type, method.Name) is var name && name != task.Name)
            throw new JobRefusedException($"a task of the name {LogText.Cut(task.Name ?? "", 300)} must not call the job of {name}");
        var arguments = _arguments.Read(method, payload.Arguments ?? []);
        return new Job(type, method, arguments!, queue.All(c => !char.IsAsciiLetterUpper(c)) ? queue : null);
    }

    /// <summary>Hangfire reads job parameters with the settings of the process, which may read type names.</summary>
    private static void DemandPlain(JobPayload payload)
    {
        foreach (var (name, text) in payload.Context ?? new Dictionary<string, string?>())
        {
            if (text is not null && !JobArguments.IsPlain(text))
                throw new JobRefusedException($"the job parameter {LogText.Cut(name, 100)} names a type, or is not JSON");
        }
    }

    private static Dictionary<string, string> ParametersOf(JobPayload payload, TaskContext task)
    {
        var parameters = (payload.Context ?? new Dictionary<string, string?>()).Where(p => p.Value is not null)
            .ToDictionary(p => p.Key, p => p.Value!, StringComparer.Ordinal);
        parameters["RetryCount"] = (task.Attempt - 1).ToString(CultureInfo.InvariantCulture);
        return parameters;
    }

    /// <summary>When the task was created, by its message.</summary>
    private static DateTimeOffset? CreatedAt(TaskContext task)
    {
        using var message = JsonDocument.Parse(task.Payload);
        return message.RootElement.ValueKind == JsonValueKind.Object && message.RootElement.TryGetProperty("created_at", out var at)
            && at.ValueKind == JsonValueKind.Number && at.TryGetInt64(out var seconds)
            && seconds is >= 0 and < 253_402_300_800 ? DateTimeOffset.FromUnixTimeSeconds(seconds) : null;
    }

    /// <summary>Reports at start what could otherwise fail at run.</summary>
    private void CheckFilters()
    {
        var queues = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (type, method) in _allowed.All)
        {
            var plan = JobFilterPlan.Of(_options.Filters, new Job(type, method, new object[method.GetParameters().Length]));
            plan.DemandSupported($"{JobNames.Readable(type)}.{method.Name}");
            if (plan.Exclusive?.Resource is { } resource && JobSettings.HomeOf(plan) is { } queue
                && queues.TryAdd(resource, queue) is false && queues[resource] != queue)
                throw new NotSupportedException($"{JobNames.Readable(type)}.{method.Name}: DisableConcurrentExecution works within one "
                    + $"queue, and jobs with the resource '{resource}' are in {queues[resource]} and {queue}: give them the same [Queue]");
        }
    }

    /// <summary>The filters of one job.</summary>
    private sealed class ServerFilters(IReadOnlyList<JobFilter> filters) : IJobFilterProvider
    {
        public IEnumerable<JobFilter> GetFilters(Job job) => filters;
    }
}
