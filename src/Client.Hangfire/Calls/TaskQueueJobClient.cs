using Hangfire;
using Hangfire.Client;
using Hangfire.Common;
using Hangfire.States;

namespace TaskQueue.Client;

/// <summary>Hangfire's job client: every job is a task.</summary>
internal sealed class TaskQueueJobClient : IBackgroundJobClientV2
{
    private readonly TaskQueueClient _client;
    private readonly HangfireClientOptions _options;
    private readonly TimeProvider _time;
    private readonly JobArguments _arguments;
    private readonly JobStates _states;

    public TaskQueueJobClient(TaskQueueClient client, HangfireClientOptions options, TimeProvider time)
    {
        _client = client;
        _options = options;
        _time = time;
        _arguments = new JobArguments(options.Converters);
        _states = new JobStates(client, time);
        JobFilterPlan.Of(options.Filters, null).DemandSupported("GlobalJobFilters");
    }

    public JobStorage Storage => TaskQueueStorage.Instance;

    public string? Create(Job job, IState state) => Create(job, state, null);

    public string? Create(Job job, IState state, IDictionary<string, object>? parameters)
    {
        ArgumentNullException.ThrowIfNull(job);
        ArgumentNullException.ThrowIfNull(state);
        var plan = JobFilterPlan.Of(_options.Filters, job);
        plan.DemandSupported($"{JobNames.Readable(job.Type)}.{job.Method.Name}");
        JobMethods.Demand(job, _arguments.Rules);
        var start = StartOf(state);
        var settings = JobSettings.Of(job, start.Queue, plan);
        var arguments = _arguments.Write(job.Method, job.Args);
        if (start.Parent is { } parent)
            DemandParent(parent);
        using var connection = Storage.GetConnection();
        var context = new CreateContext(Storage, connection, job, state, parameters);
        return new ClientFilters(plan.Client).Run(context, () => Send(context, settings, arguments, start))?.Id;
    }

    public bool ChangeState(string jobId, IState state, string? expectedState)
    {
        ArgumentNullException.ThrowIfNull(jobId);
        ArgumentNullException.ThrowIfNull(state);
        return Guid.TryParse(jobId, out var id) && Do(() => _states.ChangeAsync(id, state, expectedState));
    }

    private static JobStart StartOf(IState state) => state switch
    {
        EnqueuedState enqueued => new JobStart(enqueued.Queue, null, null, null),
        ScheduledState scheduled => new JobStart(EnqueuedState.DefaultQueue, Utc(scheduled.EnqueueAt), null, null),
        AwaitingState { NextState: EnqueuedState or ScheduledState } awaiting when Guid.TryParse(awaiting.ParentId, out var parent) =>
            StartOf(awaiting.NextState) with { Parent = parent, On = awaiting.Options },
        AwaitingState { NextState: EnqueuedState or ScheduledState } awaiting => throw new NotSupportedException(
            $"'{awaiting.ParentId}' is not a job of TaskQueue: a job can continue one that was enqueued through the same client"),
        _ => throw new NotSupportedException(
            $"a job cannot be created in the state {state.Name}: use Enqueued, Scheduled or Awaiting with one of them"),
    };

    private static DateTimeOffset Utc(DateTime time) =>
        new(time.Kind == DateTimeKind.Local ? time.ToUniversalTime() : DateTime.SpecifyKind(time, DateTimeKind.Utc));

    private void DemandParent(Guid parent)
    {
        if (Do(() => _client.GetAsync(parent)) is null)
            throw new BackgroundJobClientException($"there is no job {parent} to continue: it was deleted, or its retention is over",
                new TaskQueueException("not found", 404, "not_found"));
    }

    private BackgroundJob Send(CreateContext context, JobSettings settings, IReadOnlyList<string?> arguments, JobStart start)
    {
        var now = _time.GetUtcNow();
        var task = new NewTask(settings.Queue, settings.TaskName)
        {
            Data = Payload(context.Job, arguments, ContextOf(context), start.Parent, start.On).ToJson(),
            ScheduledAt = start.At,
            ExpiresAt = now + settings.ExpireAfter,
            MaxAttempts = settings.MaxAttempts,
            Retry = settings.Retry,
            OrderingKey = settings.OrderingKey,
        };
        var sent = Do(() => _client.EnqueueAsync(task));
        return new BackgroundJob(sent.Id.ToString(), context.Job, now.UtcDateTime);
    }

    internal static JobPayload Payload(Job job, IReadOnlyList<string?> arguments, IReadOnlyDictionary<string, string?>? context = null,
        Guid? parent = null, JobContinuationOptions? on = null) => new()
    {
        Format = JobPayload.Current,
        Type = JobNames.Of(job.Type),
        Method = job.Method.Name,
        Parameters = [.. job.Method.GetParameters().Select(p => JobNames.Of(p.ParameterType))],
        Arguments = arguments,
        Context = context,
        Parent = parent,
        ContinueOn = (int?)on,
    };

    private static Dictionary<string, string?>? ContextOf(CreateContext context)
    {
        if (context.Parameters.Count == 0)
            return null;
        var texts = context.Parameters.ToDictionary(p => p.Key,
            p => (string?)SerializationHelper.Serialize(p.Value, SerializationOption.User), StringComparer.Ordinal);
        foreach (var (name, text) in texts)
        {
            if (text is not null && !JobArguments.IsPlain(text))
                throw new NotSupportedException($"the job parameter {name} names a type: set it to a plain value such as a string");
        }

        return texts;
    }

    private static T Do<T>(Func<Task<T>> request)
    {
        try
        {
            return Blocking.Run(request);
        }
        catch (TaskQueueException fault)
        {
            throw new BackgroundJobClientException(fault.Message, fault);
        }
    }

    /// <summary>How a job starts.</summary>
    /// <param name="Queue">Queue that its state names.</param>
    /// <param name="At">Earliest start; null: now.</param>
    /// <param name="Parent">The job it continues.</param>
    /// <param name="On">How that must have ended.</param>
    private sealed record JobStart(string Queue, DateTimeOffset? At, Guid? Parent, JobContinuationOptions? On);
}
