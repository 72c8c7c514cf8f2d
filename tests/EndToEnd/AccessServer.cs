using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Bulk;
using TaskQueue.Engine.Failures;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Workers;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>
/// A server with two tenants and their administrators, a worker, administrators of queues, and an operator, who made the shared
/// queue a-1. Its objects belong to tenant a.
/// </summary>
public sealed class AccessServer : IAsyncLifetime
{
    private readonly DatabaseProvider _provider;
    private readonly ILoggerProvider? _log;

    /// <summary>On SQLite.</summary>
    public AccessServer()
        : this(DatabaseProvider.Sqlite, null)
    {
    }

    internal AccessServer(DatabaseProvider provider, ILoggerProvider? log) => (_provider, _log) = (provider, log);

    /// <summary>Placeholder: the object was reached if the task has ended afterwards.</summary>
    internal const string AsksState = "state";

    /// <summary>Placeholder: the object was reached if the answer is not empty.</summary>
    internal const string IsThere = "there";

    /// <summary>Placeholder for an upload.</summary>
    internal static readonly object File = new();

    /// <summary>Key, tenant, scopes, queues.</summary>
    private static readonly (string Name, string? Tenant, string[] Scopes, string? Queues)[] Keys =
    [
        ("a", "a", [], null), ("a2", "a", [], null), ("b", "b", [], null), ("narrow", "a", [], "b-*"),
        ("admin-a", "a", ["admin"], null), ("admin-b", "b", ["admin"], null),
        ("worker", null, ["work:a-*"], null), ("admin-queue", null, ["admin:a-*"], null), ("admin-other", null, ["admin:b-*"], null),
        ("operator", null, ["admin"], null),
    ];

    private static readonly string[] ReadOnly = ["read"];

    private readonly Dictionary<string, HttpClient> _clients = [];
    private int _names;

    internal static IEnumerable<string> Callers => Keys.Select(k => k.Name);

    internal TestHost Host { get; private set; } = null!;

    internal TestDatabase Database { get; private set; } = null!;

    /// <summary>A queue for Moab's lists, which start with the oldest task.</summary>
    internal string MoabQueue { get; private set; } = "a-1";

    internal HttpClient this[string name] => _clients[name];

    public async Task InitializeAsync()
    {
        Database = await TestDatabase.CreateAsync(_provider);
        Host = await TestHost.StartAsync(Database.ConnectionString, settings: Settings(), log: _log);
        foreach (var name in Callers)
        {
            _clients[name] = new HttpClient { BaseAddress = Host.Http.BaseAddress };
            _clients[name].DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", TestKeys.Of(name));
        }

        await DoneAsync("operator", HttpMethod.Put, "/queues/a-1", new { });
    }

    public async Task DisposeAsync()
    {
        foreach (var client in _clients.Values)
            client.Dispose();
        await Host.DisposeAsync();
        await Database.DisposeAsync();
    }

    /// <summary>A valid request of every route.</summary>
    internal async Task<List<(string Route, AccessProbe Probe)>> ProbesAsync()
    {
        var probes = new List<(string, AccessProbe)>();
        foreach (var (route, (_, probe)) in AccessTable.Rows)
            probes.Add((route, await probe(this)));
        return probes;
    }

    internal string NewName(string prefix) => $"{prefix}{Interlocked.Increment(ref _names)}x";

    internal async Task<string> TaskAsync() =>
        (await DoneAsync("a", HttpMethod.Post, "/tasks", new { queue = "a-1", action = "x" })).Json.Text("id")!;

    /// <summary>A group of failures of a's tasks in queue a-1.</summary>
    internal async Task<Guid> FailureAsync()
    {
        var group = new FailureGroup
        {
            Id = Guid.NewGuid(), Owner = "a", Queue = "a-1", Message = "broken", Count = 1, FirstSeenAt = TestTasks.T0,
            LastSeenAt = TestTasks.T0,
        };
        await using var db = Database.CreateContext();
        db.FailureGroups.Add(group);
        await db.SaveChangesAsync();
        return group.Id;
    }

    /// <summary>An operation of a on its tasks in queue a-1, whose next step is not due.</summary>
    internal async Task<Guid> OperationAsync(BulkState state = BulkState.Running)
    {
        var operation = new BulkOperation
        {
            Id = TaskQueue.Contracts.TaskId.New(TimeProvider.System), Owner = "a", Queue = "a-1", State = state, Action = BulkAction.Cancel,
            Access = BulkAccess.ToText(Access.Of("a")), Selection = new BulkSelection { Ids = [Guid.NewGuid()] }.ToText(), Kept = 1,
            CreatedAt = TestTasks.T0, DueAt = TestTasks.T0.AddYears(100),
            FinishedAt = state == BulkState.Completed ? TestTasks.T0 : null,
        };
        await using var db = Database.CreateContext();
        db.Operations.Add(operation);
        await db.SaveChangesAsync();
        return operation.Id;
    }

    internal async Task<string> CancelledTaskAsync()
    {
        var id = await TaskAsync();
        await DoneAsync("a", HttpMethod.Post, $"/tasks/{id}/cancel", "");
        return id;
    }

    /// <summary>A task of a that the worker runs.</summary>
    internal async Task<string> ClaimedTaskAsync()
    {
        var queue = NewName("a-c");
        var id = (await DoneAsync("a", HttpMethod.Post, "/tasks", new { queue, action = "x" })).Json.Text("id")!;
        await DoneAsync("worker", HttpMethod.Post, "/workers/claim", new { queues = new[] { queue }, worker = "w" });
        return id;
    }

    /// <summary>A task of a, and its callback that has failed.</summary>
    internal async Task<(string Task, string Callback)> CallbackAsync()
    {
        var task = await TaskAsync();
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        var callback = new TaskQueue.Engine.Callbacks.Callback
        {
            SubjectId = Guid.Parse(task), Url = "http://127.0.0.1:9/", Body = "{}",
            State = TaskQueue.Engine.Callbacks.CallbackState.Failed, Owner = "a",
            DueAt = now, CreatedAt = now, FinishedAt = now,
        };
        await using var db = Database.CreateContext();
        db.Callbacks.Add(callback);
        await db.SaveChangesAsync();
        return (task, $"cb_{callback.Id}");
    }

    internal async Task<string> BellaTaskAsync() =>
        (await DoneAsync("a", HttpMethod.Post, "/v1/queue/put", new { queue = "a-1", endpoint = "/x", level = 3, data = new { } }))
            .Json.Text("data")!;

    internal async Task<string> MoabTaskAsync()
    {
        MoabQueue = await QueueAsync();
        var body = new { queue_name = MoabQueue, entries = new[] { new { payload = "1" } } };
        return (await DoneAsync("a", HttpMethod.Post, "/moab/Enqueue", body)).Json.GetProperty("tasks")[0].Text("id")!;
    }

    /// <summary>A task of a that the worker runs, like Moab's clients do.</summary>
    internal async Task<string> DequeuedTaskAsync()
    {
        var id = await MoabTaskAsync();
        await DoneAsync("worker", HttpMethod.Post, "/moab/Dequeue", new { queue_name = MoabQueue });
        return id;
    }

    /// <summary>A separate shared queue for requests that change it.</summary>
    internal async Task<string> QueueAsync()
    {
        var name = NewName("a-q");
        await DoneAsync("operator", HttpMethod.Put, $"/queues/{name}", new { });
        return name;
    }

    internal async Task<string> ScheduleAsync()
    {
        var name = NewName("s");
        await DoneAsync("admin-a", HttpMethod.Put, $"/queues/a-1/schedules/{name}", new { cron = "0 8 1 1 *", action = "x" });
        return name;
    }

    internal async Task<string> KeyAsync() =>
        (await DoneAsync("admin-a", HttpMethod.Post, "/keys", new { name = NewName("k"), tenant = "a", scopes = ReadOnly }))
            .Json.Text("id")!;

    /// <summary>The target of an action by tenant a's administrator.</summary>
    internal async Task<string> AuditedAsync() => $"{await KeyAsync()}";

    internal async Task<long> QuarantinedAsync()
    {
        await using var db = Database.CreateContext();
        var item = new QuarantinedItem { Kind = "message", Subject = NewName("m"), Owner = "a", Queue = "a-1", Reason = "r",
            At = DateTime.UnixEpoch };
        db.Quarantine.Add(item);
        await db.SaveChangesAsync();
        return item.Id;
    }

    internal async Task<string> FileAsync()
    {
        using var form = Form();
        using var response = await this["a"].PostAsync(new Uri("/v1/files", UriKind.Relative), form);
        return JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement.Text("id")!;
    }

    internal async Task<string> WorkerAsync(WorkerState state = WorkerState.Active)
    {
        var (store, now) = (Host.Services.GetRequiredService<IWorkerStore>(), TimeProvider.System.GetUtcNow().UtcDateTime);
        var id = Guid.NewGuid().ToString("N");
        await store.WriteAsync([new(id, new("a", "key", id), new WorkerContact(WorkerContact.Http, "a"), null, now, now, false)], default);
        if (state != WorkerState.Active)
            await store.EndAsync([id], state, now.AddSeconds(1), default);
        return id;
    }

    internal async Task<string> BatchAsync()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/batches");
        request.Headers.Add("X-BELLA-QUEUE-NAME", "a-1");
        var batch = new { input_file_id = await FileAsync(), endpoint = "/v1/x", completion_window = "24h" };
        request.Content = new StringContent(JsonSerializer.Serialize(batch), Encoding.UTF8, "application/json");
        using var response = await this["a"].SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        return response.IsSuccessStatusCode ? JsonDocument.Parse(text).RootElement.Text("id")! : throw new InvalidOperationException(text);
    }

    /// <summary>An upload in parts.</summary>
    internal async Task<string> UploadAsync() =>
        (await DoneAsync("a", HttpMethod.Post, "/v1/uploads", new { filename = "f", purpose = "batch", bytes = 2 })).Json.Text("id")!;

    /// <summary>A queue that is registered for an endpoint: a model.</summary>
    internal async Task<string> ModelAsync()
    {
        var name = NewName("a-model-");
        await DoneAsync("a", HttpMethod.Post, "/v1/queue/register", new { queue = name, endpoint = "/v1/x" });
        return name;
    }

    internal static MultipartFormDataContent Form()
    {
        var line = new ByteArrayContent("""{"custom_id":"1","method":"POST","url":"/v1/x","body":{"model":"m"}}"""u8.ToArray());
        return new MultipartFormDataContent { { new StringContent("batch"), "purpose" }, { line, "file", "f.jsonl" } };
    }

    internal async Task<Reply> DoneAsync(string caller, HttpMethod method, string path, object body)
    {
        var reply = await this[caller].SendAsync(method, path, body);
        return reply.Status < 300 ? reply : throw new InvalidOperationException($"{caller} {method} {path}: {reply.Status} {reply.Text}");
    }

    private static Dictionary<string, string?> Settings()
    {
        var settings = new Dictionary<string, string?>
        {
            ["Logging:LogLevel:Default"] = "Error", ["TaskQueue:Moab:MaxSchedulesPerQueue"] = "1000", ["TaskQueue:Moab:MaxQueues"] = "1000",
            ["TaskQueue:Moab:MaxSchedules"] = "1000",
            ["TaskQueue:Moab:V0Numbering"] = "First", // of MoabGrpcTransport
        };
        foreach (var (index, key) in Keys.Index())
        {
            var at = $"TaskQueue:Auth:ApiKeys:{index}";
            (settings[$"{at}:Name"], settings[$"{at}:Tenant"], settings[$"{at}:Key"]) = (key.Name, key.Tenant, TestKeys.Of(key.Name));
            foreach (var (place, scope) in key.Scopes.Index())
                settings[$"{at}:Scopes:{place}"] = scope;
            if (key.Queues is not null)
                settings[$"{at}:Queues:0"] = key.Queues;
        }

        return settings;
    }
}
