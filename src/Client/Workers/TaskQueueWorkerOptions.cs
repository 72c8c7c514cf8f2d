using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace TaskQueue.Client;

using Processor = Func<IServiceProvider, TaskContext, CancellationToken, Task<TaskOutcome>>;

/// <summary>What a worker works on, and how.</summary>
public sealed class TaskQueueWorkerOptions
{
    private static readonly TimeSpan MaxLease = TimeSpan.FromDays(1);
    private static readonly TimeSpan MaxRunTime = TimeSpan.FromDays(30);
    private readonly Dictionary<string, Processor> _processors = new(StringComparer.Ordinal);

    /// <summary>Queues, most wanted first: <c>name</c> (tier 0), or over HTTP also <c>name:tier</c>; 1 to 100.</summary>
    public IList<string> Queues { get; } = [];

    /// <summary>Name of the worker, unique, at most 200 characters; default machine:process:random.</summary>
    public string Name { get; set; } = $"{Environment.MachineName}:{Environment.ProcessId}:{Guid.NewGuid():N}"[..Math.Min(200,
        Environment.MachineName.Length + 24)];

    /// <summary>How many tasks run at once: 1 to 500; default 2.</summary>
    public int Concurrency { get; set; } = 2;

    /// <summary>How many tasks wait in the worker beyond those that run: 0 to 500; default 5.</summary>
    public int Prefetch { get; set; } = 5;

    /// <summary>
    /// How long a task may go without a heartbeat: 1 s to 1 day; null is as the task or its queue says, else 15 s. Heartbeats come every
    /// third of it.
    /// </summary>
    public TimeSpan? Lease { get; set; }

    /// <summary>
    /// How long a worker that stops lets running tasks go on; default 25 s. Keep the host's ShutdownTimeout (30 s) above it.
    /// </summary>
    public TimeSpan DrainTimeout { get; set; } = TimeSpan.FromSeconds(25);

    /// <summary>
    /// How long an attempt may run: 1 s to 30 days; null, the default, is as long as it needs. At the limit the attempt fails, to be tried
    /// again while attempts are left, and the processor's token is cancelled.
    /// </summary>
    public TimeSpan? RunTimeLimit { get; set; }

    /// <summary>How long a worker may hear nothing of its server before its health check reports it: 3 s to 1 day; default 60 s.</summary>
    public TimeSpan UnresponsiveAfter { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>What becomes of tasks whose name has no processor; default <see cref="UnknownNames.Echo"/>.</summary>
    public UnknownNames UnknownNames { get; set; }

    /// <summary>
    /// Decodes data, and encodes results and progress; null is that of <see cref="TaskQueueClientOptions"/>, where there is one.
    /// </summary>
    public ITaskPayloadCodec? Codec { get; set; }

    /// <summary>Makes the transport; null is HTTP.</summary>
    internal Func<IServiceProvider, TimeProvider, IRemoteTransport>? Transport { get; set; }

    /// <summary>Processes tasks of exactly this name; the last one added for a name wins.</summary>
    /// <param name="name">The name, called action in POST /tasks.</param>
    /// <param name="processor">Does the work; a task whose processor throws is tried again.</param>
    public void AddProcessor(string name, Func<TaskContext, CancellationToken, Task<TaskOutcome>> processor)
    {
        ArgumentNullException.ThrowIfNull(processor);
        Add(name, (_, task, cancellationToken) => processor(task, cancellationToken));
    }

    /// <summary>Processes tasks of exactly this name with a value that is read from the payload and one that becomes the result.</summary>
    /// <param name="name">The name, called action in POST /tasks.</param>
    /// <param name="input">How the payload is read; one that cannot be read fails the task for good.</param>
    /// <param name="output">How the result is written.</param>
    /// <param name="processor">Does the work; a task whose processor throws is tried again.</param>
    /// <typeparam name="TIn">Type of the data.</typeparam>
    /// <typeparam name="TOut">Type of the result.</typeparam>
    public void AddProcessor<TIn, TOut>(
        string name, JsonTypeInfo<TIn> input, JsonTypeInfo<TOut> output, Func<TIn, TaskContext, CancellationToken, Task<TOut>> processor)
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(processor);
        Add(name, async (_, task, cancellationToken) =>
        {
            TIn data;
            try
            {
                data = task.Read(input);
            }
            catch (JsonException fault)
            {
                return TaskOutcome.Failed($"the payload cannot be read: {fault.Message}");
            }

            return TaskOutcome.Completed(await processor(data, task, cancellationToken), output);
        });
    }

    /// <summary>Processes tasks of exactly this name with a class that is made once a task, in a scope of its own.</summary>
    /// <param name="name">The name, called action in POST /tasks.</param>
    /// <typeparam name="THandler">Need not be registered; its dependencies must be.</typeparam>
    public void AddProcessor<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler>(string name)
        where THandler : class, ITaskHandler =>
        Add(name, async (services, task, cancellationToken) =>
        {
            await using var scope = services.CreateAsyncScope();
            return await ActivatorUtilities.GetServiceOrCreateInstance<THandler>(scope.ServiceProvider)
                .ProcessAsync(task, cancellationToken);
        });

    internal Processor? ProcessorOf(string? name) => name is null ? null : _processors.GetValueOrDefault(name);

    /// <exception cref="OptionsValidationException">Something is out of its range.</exception>
    internal void Validate()
    {
        Demand(Queues.Count is >= 1 and <= 100, "Queues must name 1 to 100 queues");
        Demand(Name is { Length: >= 1 and <= 200 }, "Name must have 1 to 200 characters");
        Demand(Concurrency is >= 1 and <= 500, "Concurrency must be 1 to 500");
        Demand(Prefetch is >= 0 and <= 500, "Prefetch must be 0 to 500");
        Demand(Lease is null || (Lease >= TimeSpan.FromSeconds(1) && Lease <= MaxLease), "Lease must be 1 s to 1 day");
        Demand(DrainTimeout >= TimeSpan.Zero && DrainTimeout <= MaxLease, "DrainTimeout must be 0 to 1 day");
        Demand(RunTimeLimit is null
            || (RunTimeLimit >= TimeSpan.FromSeconds(1) && RunTimeLimit <= MaxRunTime), "RunTimeLimit must be 1 s to 30 days");
        Demand(UnresponsiveAfter >= TimeSpan.FromSeconds(3) && UnresponsiveAfter <= MaxLease, "UnresponsiveAfter must be 3 s to 1 day");
        Demand(Transport is null
            || !Queues.Any(q => q.Contains(':', StringComparison.Ordinal)),
                "Queues must be names without a tier on RabbitMQ: a push queue has all tiers");
    }

    private static void Demand(bool holds, string rule)
    {
        if (!holds)
            throw new OptionsValidationException(nameof(TaskQueueWorkerOptions), typeof(TaskQueueWorkerOptions), [rule]);
    }

    private void Add(string name, Processor processor)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        _processors[name] = processor;
    }
}

/// <summary>What becomes of a task whose name has no processor.</summary>
public enum UnknownNames
{
    /// <summary>It completes; its payload is the result.</summary>
    Echo,

    /// <summary>It fails for good.</summary>
    Fail,

    /// <summary>It goes back for ten seconds, for another worker; no attempt is counted.</summary>
    Release,
}
