using Hangfire;
using Hangfire.Common;

namespace TaskQueue.Client;

/// <summary>Hangfire's manager of recurring jobs: each is a schedule of its queue.</summary>
internal sealed class TaskQueueRecurringJobs : IRecurringJobManagerV2
{
    private const int MaxShownId = 512;
    private readonly TaskQueueClient _client;
    private readonly HangfireClientOptions _options;
    private readonly JobArguments _arguments;

    public TaskQueueRecurringJobs(TaskQueueClient client, HangfireClientOptions options)
    {
        _client = client;
        _options = options;
        _arguments = new JobArguments(options.Converters);
        JobFilterPlan.Of(options.Filters, null).DemandSupported("GlobalJobFilters");
    }

    public JobStorage Storage => TaskQueueStorage.Instance;

    /// <summary>Whether the schedules that are found are those of this application only.</summary>
    private bool HasOwnQueues => _options.RecurringQueues.Count > 0;

    public void AddOrUpdate(string recurringJobId, Job job, string cronExpression, RecurringJobOptions options)
    {
        ArgumentException.ThrowIfNullOrEmpty(recurringJobId);
        ArgumentNullException.ThrowIfNull(job);
        ArgumentNullException.ThrowIfNull(cronExpression);
        ArgumentNullException.ThrowIfNull(options);
        var name = $"{JobNames.Readable(job.Type)}.{job.Method.Name}";
        var plan = JobFilterPlan.Of(_options.Filters, job);
        plan.DemandSupported(name);
        if (plan.Client.Find(f => f is not CaptureCultureAttribute) is { } filter)
            throw new NotSupportedException($"{name} has the client filter {filter.GetType()}, which would have to run at each tick, where "
                + "the server creates the task: do its work in an IServerFilter");
        if (options.MisfireHandling != MisfireHandlingMode.Relaxed)
            throw new NotSupportedException("MisfireHandling must be Relaxed: a schedule that is a minute late or more fires once");
        JobMethods.Demand(job, _arguments.Rules);
#pragma warning disable CS0618 // call sites may still set it
        var settings = JobSettings.Of(job, options.QueueName, plan);
#pragma warning restore CS0618
        if (settings.ExpireAfter < TimeSpan.FromSeconds(1))
            throw new NotSupportedException($"{name}: LatencyTimeout must be at least 1 second for a recurring job");
        var schedule = new NewSchedule(HangfireCron.Translate(cronExpression), settings.TaskName)
        {
            TimeZone = HangfireCron.ZoneOf(options.TimeZone),
            Data = TaskQueueJobClient.Payload(job, _arguments.Write(job.Method, job.Args)).ToJson(),
            OrderingKey = settings.OrderingKey,
            ExpireAfter = settings.ExpireAfter,
            MaxAttempts = settings.MaxAttempts,
            Retry = settings.Retry,
        };
        if (HasOwnQueues && !_options.RecurringQueues.Contains(settings.Queue))
            throw new ArgumentException($"the recurring job {recurringJobId} is in queue {settings.Queue}, which is not among "
                + $"{nameof(HangfireClientOptions)}.{nameof(HangfireClientOptions.RecurringQueues)}: add it there", nameof(options));
        schedule = schedule with { Description = DescriptionOf(recurringJobId, schedule, plan.Retry) };
        Do(() => PutAsync(settings.Queue, JobNames.ScheduleOf(recurringJobId), schedule));
    }

    public void Trigger(string recurringJobId) => TriggerJob(recurringJobId);

    public string? TriggerJob(string recurringJobId)
    {
        ArgumentNullException.ThrowIfNull(recurringJobId);
        string? id = null;
        Do(async () =>
        {
            // While a job moves to another queue it has two schedules for a moment.
            if ((await FindOneAsync(recurringJobId)).MaxBy(s => s.UpdatedAt) is { } schedule)
                id = (await _client.RunScheduleAsync(schedule.Queue, schedule.Name)).Id.ToString();
        });
        return id;
    }

    public void RemoveIfExists(string recurringJobId)
    {
        ArgumentNullException.ThrowIfNull(recurringJobId);
        Do(async () =>
        {
            foreach (var schedule in await FindOneAsync(recurringJobId))
                await RemoveAsync(schedule);
        });
    }

    private async Task PutAsync(string queue, string name, NewSchedule schedule)
    {
        var found = await FindAsync(name);
        var here = found.Find(s => s.Queue == queue);
        if (here is null && await _client.GetScheduleAsync(queue, name) is { } foreign)
            throw new InvalidOperationException($"queue {queue} has a schedule {name} that is not a recurring job of Hangfire (its "
                + $"tasks are named {foreign.Action}): rename one of them");
        // Unchanged, it is left alone: programs repeat this at each start, and a change would move the next tick.
        if (here is null || (here.Description, here.Cron, here.TimeZone) != (schedule.Description, schedule.Cron, schedule.TimeZone))
            await CreateAsync(queue, name, schedule with { Paused = here?.Paused ?? false });
        // The job has moved. Unless the queues are our own, one that calls another method is that of another application, which may have
        // the same id.
        foreach (var elsewhere in found.Where(s => s.Queue != queue && (HasOwnQueues || s.Action == schedule.TaskName)))
            await RemoveAsync(elsewhere);
    }

    private async Task CreateAsync(string queue, string name, NewSchedule schedule)
    {
        try
        {
            await _client.ScheduleAsync(queue, name, schedule);
        }
        catch (TaskQueueException fault) when (fault.Status == 404 && _options.DeclareQueues)
        {
            await _client.DeclareQueueAsync(queue, new QueueDeclaration());
            await _client.ScheduleAsync(queue, name, schedule);
        }
    }

    private async Task RemoveAsync(ScheduleInfo schedule)
    {
        try
        {
            await _client.DeleteScheduleAsync(schedule.Queue, schedule.Name);
        }
        catch (TaskQueueException fault) when (fault.Status == 404)
        {
            // Another program has removed it.
        }
    }

    /// <summary>The schedules of a recurring job.</summary>
    /// <exception cref="BackgroundJobClientException">Applications have different jobs with the id.</exception>
    private async Task<List<ScheduleInfo>> FindOneAsync(string id)
    {
        var found = await FindAsync(JobNames.ScheduleOf(id));
        if (HasOwnQueues || found.DistinctBy(s => s.Action).Count() < 2)
            return found;
        var conflict = $"there are several recurring jobs {LogText.Cut(id, MaxShownId)}: "
            + string.Join(", ", found.Select(s => $"{s.Action} in queue {s.Queue}"))
            + $". Name the queues of yours in {nameof(HangfireClientOptions)}.{nameof(HangfireClientOptions.RecurringQueues)}";
        throw new BackgroundJobClientException(conflict, new InvalidOperationException(conflict));
    }

    /// <summary>The schedules of a recurring job, whose queue is not known.</summary>
    private async Task<List<ScheduleInfo>> FindAsync(string name)
    {
        var found = new List<ScheduleInfo>();
        await foreach (var schedule in _client.SchedulesAsync())
        {
            if (schedule.Name == name && (!HasOwnQueues || _options.RecurringQueues.Contains(schedule.Queue))
                && schedule.Action?.StartsWith(JobNames.Prefix, StringComparison.Ordinal) == true)
                found.Add(schedule);
        }

        return found;
    }

    /// <summary>Names the job, and ends with a fingerprint of all settings.</summary>
    private static string DescriptionOf(string id, NewSchedule schedule, AutomaticRetryAttribute? retry)
    {
        // Delays that a function chooses may be random: the function counts.
        var delays = retry?.DelaysInSeconds is { } list ? string.Join(',', list)
            : retry?.DelayInSecondsByAttemptFunc.Method is { } function ? $"{function.DeclaringType}.{function.Name}" : "";
        var settings = string.Join('\n', schedule.Cron, schedule.TimeZone, schedule.TaskName, schedule.Data, schedule.OrderingKey,
            schedule.ExpireAfter, schedule.MaxAttempts, delays);
        return $"recurring job '{LogText.Cut(id, MaxShownId)}' ({JobNames.Hash(settings)})";
    }

    private static void Do(Func<Task> requests)
    {
        try
        {
            Blocking.Run(requests);
        }
        catch (TaskQueueException fault)
        {
            throw new BackgroundJobClientException(fault.Message, fault);
        }
    }
}
