using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>
/// A server per test class, whose tests use distinct queue names, and the calls of a Moab client. Requests and responses are JSON; over
/// gRPC they are translated for a generated client.
/// </summary>
public abstract class MoabServer : IAsyncLifetime
{
    private readonly DatabaseProvider _provider;
    private readonly Dictionary<string, string?> _settings;
    private readonly bool _isGrpc;
    private TestDatabase _database = null!;
    private string? _rabbitMq;
    private TestHost _host = null!;
    private MoabGrpcTransport? _grpc;
    private int _queues;

    private protected MoabServer(DatabaseProvider provider, Dictionary<string, string?>? settings = null, bool isGrpc = false)
    {
        (_provider, _isGrpc) = (provider, isGrpc);
        _settings = settings ?? new() { ["TaskQueue:Moab:MaxQueues"] = "10000" };
        _settings["Logging:LogLevel:Default"] = "Error";
        if (isGrpc)
            _settings["TaskQueue:Moab:V0Numbering"] = "First"; // its entries and schedules have every field
    }

    internal HttpClient Http => _host.Http;

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(_provider);
        _rabbitMq = _provider == DatabaseProvider.Sqlite ? null : await TestServers.CreateVirtualHostAsync();
        _host = await TestHost.StartAsync(_database.ConnectionString, _rabbitMq, settings: _settings);
        _grpc = _isGrpc ? new MoabGrpcTransport(Http.BaseAddress!) : null;
    }

    public async Task DisposeAsync()
    {
        _grpc?.Dispose();
        await _host.DisposeAsync();
        if (_rabbitMq is not null)
            await TestServers.DeleteVirtualHostAsync(_rabbitMq);
        await _database.DisposeAsync();
    }

    /// <summary>Another server on the same database and broker.</summary>
    internal Task<TestHost> StartSecondAsync(Action<IServiceCollection>? services = null) =>
        TestHost.StartAsync(_database.ConnectionString, _rabbitMq, "api", _settings, services);

    internal string NewName() => string.Create(CultureInfo.InvariantCulture, $"Queue_{Interlocked.Increment(ref _queues)}");

    /// <summary>Calls an RPC with JSON text.</summary>
    internal Task<Reply> CallAsync(string rpc, string body) => _grpc?.CallAsync(rpc, body) ?? Http.PostAsync($"/moab/{rpc}", body);

    /// <summary>Calls an RPC that must succeed.</summary>
    internal async Task<JsonElement> OkAsync(string rpc, string body)
    {
        var reply = await CallAsync(rpc, body);
        reply.Status.ShouldBe(200, $"{rpc} {body}: {reply.Text}");
        return reply.Json;
    }

    /// <summary>Calls an RPC that must fail.</summary>
    internal async Task<JsonElement> RefusedAsync(string rpc, string body, int status = 400, string code = "INVALID_ARGUMENT")
    {
        var reply = await CallAsync(rpc, body);
        reply.Status.ShouldBe(status, $"{rpc} {(body.Length > 500 ? body[..500] : body)}: {reply.Text}");
        reply.ContentType.ShouldBe("application/json");
        reply.Json.Names().ShouldBe(["code", "message", "details"]);
        reply.Json.Text("code").ShouldBe(code);
        reply.Json.Text("message").ShouldNotBeNullOrWhiteSpace();
        reply.Json.GetProperty("details").ValueKind.ShouldBe(JsonValueKind.Object);
        return reply.Json;
    }

    /// <summary>Creates a queue with a keepalive of 5 seconds.</summary>
    internal async Task<string> QueueAsync(string more = "")
    {
        var name = NewName();
        await OkAsync("CreateQueue", $$"""{"name":"{{name}}","keepalive_timeout_in_seconds":5{{more}}}""");
        return name;
    }

    /// <summary>Enqueues entries, given as JSON.</summary>
    internal async Task<List<JsonElement>> EnqueueAsync(string queue, params string[] entries) =>
        Tasks(await OkAsync("Enqueue", $$"""{"queue_name":"{{queue}}","entries":[{{string.Join(',', entries)}}]}"""));

    /// <summary>Enqueues a task and returns its id.</summary>
    internal async Task<string> EnqueueOneAsync(string queue, string entry = "{}") =>
        (await EnqueueAsync(queue, entry)).Single().Text("id")!;

    internal async Task<List<JsonElement>> DequeueAsync(string queue, int batch = 10, string more = "") =>
        Tasks(await OkAsync("Dequeue", $$"""{"queue_name":"{{queue}}","batch_size":{{batch}}{{more}}}"""));

    /// <summary>Takes the next task, as soon as there is one.</summary>
    internal Task<List<JsonElement>> DequeueSoonAsync(string queue, int batch = 1, string more = "") =>
        Eventually.UntilAsync(
            async () => await DequeueAsync(queue, batch, more) is { Count: > 0 } tasks ? tasks : null,
            TestHttp.Patience, $"a task of {queue} can be dequeued");

    /// <summary>Reports on one attempt and returns the result.</summary>
    internal async Task<string> ReportAsync(string queue, string id, int attempt, string status, string more = "")
    {
        var entries = (await OkAsync("ReportStatus",
            $$"""{"queue_name":"{{queue}}","entries":[{"task_id":"{{id}}","attempt":{{attempt}},"status":"{{status}}"{{more}}}]}"""))
            .GetProperty("entries");
        entries.GetArrayLength().ShouldBe(1);
        entries[0].Text("task_id").ShouldBe(id);
        return entries[0].Text("result")!;
    }

    internal Task<Reply> ReadTaskAsync(string queue, string id) => CallAsync("GetTask",
        $$"""{"queue_name":"{{queue}}","task_id":"{{id}}"}""");

    internal async Task<JsonElement> TaskAsync(string queue, string id)
    {
        var reply = await ReadTaskAsync(queue, id);
        reply.Status.ShouldBe(200, reply.Text);
        return reply.Json.GetProperty("task");
    }

    /// <summary>Whether the task is gone: not found, as after success.</summary>
    internal async Task ShouldBeGoneAsync(string queue, string id)
    {
        var fault = await RefusedAsync("GetTask", $$"""{"queue_name":"{{queue}}","task_id":"{{id}}"}""", 404, "NOT_FOUND");
        fault.GetProperty("details").Text("task_id").ShouldBe(id);
    }

    internal Task<JsonElement> GetQueueAsync(string queue) => OkAsync("GetQueue", $$"""{"queue_name":"{{queue}}"}""");

    internal async Task<JsonElement> StatsAsync(string queue) => (await GetQueueAsync(queue)).GetProperty("stats");

    /// <summary>Time of the server in Unix nanoseconds.</summary>
    internal async Task<long> NowAsync(string queue) => (await GetQueueAsync(queue)).Long("now");

    internal async Task<List<JsonElement>> ListAsync(string queue, string more = "") =>
        Tasks(await OkAsync("ListTasks", $$"""{"queue_name":"{{queue}}"{{more}}}"""));

    /// <summary>Everything that a refused call could have changed in a queue.</summary>
    internal async Task<string> SnapshotAsync(string queue)
    {
        var read = await GetQueueAsync(queue);
        var counts = read.GetProperty("stats").EnumerateObject().Where(m => m.Name != "age_of_oldest_enqueued_task")
            .Select(m => $"{m.Name}={m.Value}");
        var tasks = await ListAsync(queue);
        return string.Join('\n',
            [read.GetProperty("queue").GetRawText(), read.GetProperty("schedules").GetRawText(), .. counts,
                .. tasks.Select(t => t.GetRawText())]);
    }

    /// <summary>Lets the only attempt of a task fail.</summary>
    internal async Task<string> KillAsync(string queue, string entry = "{}")
    {
        var id = await EnqueueOneAsync(queue, entry);
        (await DequeueSoonAsync(queue, 1, ""","keepalive_timeout_in_seconds":60""")).Single().Text("id").ShouldBe(id);
        (await ReportAsync(queue, id, 1, "STATUS_FAILED")).ShouldBe("RESULT_OK");
        return id;
    }

    internal static List<JsonElement> Tasks(JsonElement answer) => [.. answer.GetProperty("tasks").EnumerateArray()];
}

public sealed class MoabOnSqlite() : MoabServer(DatabaseProvider.Sqlite);

public sealed class MoabOnPostgres() : MoabServer(DatabaseProvider.Postgres);

public sealed class MoabOnSqliteOverGrpc() : MoabServer(DatabaseProvider.Sqlite, isGrpc: true);

public sealed class MoabOnPostgresOverGrpc() : MoabServer(DatabaseProvider.Postgres, isGrpc: true);

/// <summary>What the tests of the Moab API read.</summary>
internal static class MoabJsonReading
{
    public const long Second = 1_000_000_000;

    public static long Long(this JsonElement element, string name) => element.GetProperty(name).GetInt64();

    public static List<string?> Payloads(this IEnumerable<JsonElement> tasks) => [.. tasks.Select(t => t.Text("payload"))];

    public static List<string?> Ids(this IEnumerable<JsonElement> tasks) => [.. tasks.Select(t => t.Text("id"))];

    /// <summary>A time this close to another.</summary>
    public static void ShouldBeAbout(this long time, long expected, double seconds = 1.5) =>
        time.ShouldBeInRange(expected - (long)(seconds * Second), expected + (long)(seconds * Second));
}
