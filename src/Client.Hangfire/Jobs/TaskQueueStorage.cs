using Hangfire;
using Hangfire.Common;
using Hangfire.Server;
using Hangfire.Storage;

namespace TaskQueue.Client;

/// <summary>
/// The storage that Hangfire's contexts mention. There is none: what asks it for something is told where that is instead.
/// </summary>
internal sealed class TaskQueueStorage : JobStorage
{
    public static TaskQueueStorage Instance { get; } = new();

    public override IMonitoringApi GetMonitoringApi() => throw new NotSupportedException(
        "there is no monitoring API of Hangfire: read tasks with TaskQueueClient, or see them in the console of the server");

    public override IStorageConnection GetConnection() => new TaskQueueConnection("", null);

    /// <summary>Jobs can name their queue.</summary>
    public override bool HasFeature(string featureId) => featureId == JobStorageFeatures.JobQueueProperty;
}

/// <summary>The connection that filters see: it knows the parameters of one job, as they were when it was enqueued.</summary>
internal sealed class TaskQueueConnection(string jobId, IReadOnlyDictionary<string, string>? parameters) : JobStorageConnection
{
    public override string? GetJobParameter(string id, string name) =>
        parameters is not null && id == jobId ? parameters.GetValueOrDefault(name) : throw Missing("parameters of another job");

    public override void SetJobParameter(string id, string name, string value) => throw Missing(
        "changes of job parameters outside of IClientFilter.OnCreating; within an attempt, use context.Items");

    public override IWriteOnlyTransaction CreateWriteTransaction() => throw Missing("transactions");

    public override IDisposable AcquireDistributedLock(string resource, TimeSpan timeout) => throw Missing(
        "distributed locks; DisableConcurrentExecutionAttribute works");

    public override string CreateExpiredJob(Job job, IDictionary<string, string> parameters, DateTime createdAt, TimeSpan expireIn) =>
        throw Missing("jobs");

    public override IFetchedJob FetchNextJob(string[] queues, CancellationToken cancellationToken) => throw Missing("queues");

    public override JobData GetJobData(string jobId) => throw Missing("jobs; read a task with TaskQueueClient.GetAsync");

    public override StateData GetStateData(string jobId) => throw Missing("states; read a task with TaskQueueClient.GetAsync");

    public override void AnnounceServer(string serverId, ServerContext context) => throw Missing("servers");

    public override void RemoveServer(string serverId) => throw Missing("servers");

    public override void Heartbeat(string serverId) => throw Missing("servers");

    public override int RemoveTimedOutServers(TimeSpan timeOut) => throw Missing("servers");

    public override HashSet<string> GetAllItemsFromSet(string key) => throw Missing("sets");

    public override string GetFirstByLowestScoreFromSet(string key, double fromScore, double toScore) => throw Missing("sets");

    public override void SetRangeInHash(string key, IEnumerable<KeyValuePair<string, string>> keyValuePairs) => throw Missing("hashes");

    public override Dictionary<string, string> GetAllEntriesFromHash(string key) => throw Missing("hashes");

    private static NotSupportedException Missing(string what) =>
        new($"a filter or job uses the storage of Hangfire, which TaskQueue replaces. It does not have {what}");
}
