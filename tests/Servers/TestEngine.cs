using System.Runtime.ExceptionServices;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using TaskQueue.Adapters.OpenAI.Batches;
using TaskQueue.Api.Hosting;
using TaskQueue.Bus.Connection;
using TaskQueue.Engine.Administration;
using TaskQueue.Engine.Failures;
using TaskQueue.Engine.Files;
using TaskQueue.Engine.Logs;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Storage.GroupCommit;

namespace TaskQueue.Tests.Servers;

/// <summary>
/// The engine alone on a database: the machine, the group commit and the store. No bus, dispatcher or scheduler runs.
/// </summary>
internal sealed class TestEngine : IAsyncDisposable
{
    private readonly ServiceProvider _services;

    /// <param name="database">A migrated database.</param>
    /// <param name="partitions">Groups that commit side by side on PostgreSQL.</param>
    /// <param name="decorate">Wraps the store.</param>
    /// <param name="time">Its clock.</param>
    /// <param name="settings">Further configuration.</param>
    public TestEngine(
        DatabaseAddress database, int partitions = 4, Func<ITaskStore, ITaskStore>? decorate = null, TimeProvider? time = null,
        Dictionary<string, string?>? settings = null)
    {
        var services = new ServiceCollection();
        services.AddSingleton(time ?? TimeProvider.System);
        services.AddLogging();
        services.AddSingleton<IConfiguration>(new ConfigurationBuilder()
            .AddInMemoryCollection(new Dictionary<string, string?>(settings ?? []) { ["TaskQueue:CommitPartitions"] = $"{partitions}" })
            .Build());
        services.AddTaskQueue(database, new BusAddress(null)).AddBatches();
        SqlServerTranslation.AddTo(services);
        if (decorate is not null)
        {
            var real = services.Single(d => d.ServiceType == typeof(ITaskStore)).ImplementationFactory!;
            services.AddSingleton(sp => decorate((ITaskStore)real(sp)));
        }

        _services = services.BuildServiceProvider();
    }

    public TaskService Tasks => _services.GetRequiredService<TaskService>();

    public ITaskStore Store => _services.GetRequiredService<ITaskStore>();

    public IQueueStore QueueStore => _services.GetRequiredService<IQueueStore>();

    public QueueService Queues => _services.GetRequiredService<QueueService>();

    public IFailureStore Failures => _services.GetRequiredService<IFailureStore>();

    public IFailureCounter FailureCounter => _services.GetRequiredService<IFailureCounter>();

    public FailureCounts FailureCounts => _services.GetRequiredService<FailureCounts>();

    public ITaskLogStore Logs => _services.GetRequiredService<ITaskLogStore>();

    public ITaskQueries Queries => _services.GetRequiredService<ITaskQueries>();

    public TaskClaimer Claims => _services.GetRequiredService<TaskClaimer>();

    public FileService Files => _services.GetRequiredService<FileService>();

    public GroupCommitter Committer => _services.GetRequiredService<GroupCommitter>();

    public IServiceProvider Services => _services;

    /// <summary>Sends one command to the machine; its command result is the reply.</summary>
    public async Task<CommandResult> SendAsync(TaskCommand command, CancellationToken cancellationToken = default)
    {
        if ((await Committer.CommitAsync([command]).WaitAsync(cancellationToken))[0] is { } fault)
            ExceptionDispatchInfo.Throw(fault);
        return command.CommandResult;
    }

    public async ValueTask DisposeAsync()
    {
        await Committer.StopAsync(CancellationToken.None);
        await _services.DisposeAsync();
    }
}
