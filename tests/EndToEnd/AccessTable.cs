using TaskQueue.Engine.Bulk;
using TaskQueue.Engine.Workers;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>A request of a route that aims at what tenant a owns in queue a-1.</summary>
/// <param name="Method">HTTP method.</param>
/// <param name="Path">With the ids of the objects created for it.</param>
/// <param name="Body">JSON, or null.</param>
/// <param name="Marker">Text of tenant a in the response, if the status does not tell; else null.</param>
public sealed record AccessProbe(string Method, string Path, object? Body = null, string? Marker = null);

/// <summary>
/// Who may do what: every route, and the callers that reach tenant a's object in the shared queue a-1. A new route must be added
/// here, or <see cref="AccessTableTests"/> fails.
/// </summary>
public static class AccessTable
{
    /// <summary>The callers, by the names of their keys: see <see cref="AccessServer"/>.</summary>
    public const string Readers = "a a2 admin-a admin-queue operator";

    private const string Submitters = "a a2 b admin-a admin-b admin-queue operator";
    private const string Workers = "worker admin-queue operator";
    private const string QueueAdmins = "admin-queue operator";
    private const string Owners = "a a2 narrow admin-a operator"; // a file is in no queue
    private const string Senders = "a a2 b narrow admin-a admin-b admin-queue admin-other operator";
    private const string BatchOwners = "a a2 admin-a operator"; // its files are a tenant's own, its tasks are in a queue
    private const string QueueReaders = "a a2 b admin-a admin-b admin-queue operator";
    private const string TenantAdmins = "admin-a admin-queue operator";

    /// <summary>Route, callers that reach the object, and the request.</summary>
    public static readonly IReadOnlyDictionary<string, (string Seen, Func<AccessServer, Task<AccessProbe>> Probe)> Rows =
        new Dictionary<string, (string, Func<AccessServer, Task<AccessProbe>>)>
        {
            ["POST /tasks"] = (Submitters, _ => Is("POST", "/tasks", new { queue = "a-1", action = "x" })),
            ["POST /tasks/bulk"] = (Submitters, _ =>
                Is("POST", "/tasks/bulk", new { tasks = new[] { new { queue = "a-1", action = "x" } } })),
            ["GET /tasks"] = (Readers, async s => new("GET", "/tasks", Marker: await s.TaskAsync())),
            ["GET /tasks/{id}"] = (Readers, async s => new("GET", $"/tasks/{await s.TaskAsync()}")),
            ["GET /tasks/{id}/callbacks"] = (Readers, async s => new("GET", $"/tasks/{await s.TaskAsync()}/callbacks")),
            ["GET /callbacks"] = (Readers, async s =>
                new("GET", "/callbacks?queue=a-1&limit=200", Marker: (await s.CallbackAsync()).Callback)),
            ["GET /tasks/{id}/logs"] = (Readers, async s => new("GET", $"/tasks/{await s.TaskAsync()}/logs")),
            ["GET /tasks/{id}/why"] = (Readers, async s => new("GET", $"/tasks/{await s.TaskAsync()}/why")),
            ["GET /failures"] = (Readers, async s => new("GET", "/failures?limit=200&queue=a-1", Marker: $"{await s.FailureAsync()}")),
            ["GET /failures/{id}"] = (Readers, async s => new("GET", $"/failures/{await s.FailureAsync()}")),
            ["POST /failures/{id}/resolve"] = (TenantAdmins, async s => new("POST", $"/failures/{await s.FailureAsync()}/resolve")),
            ["POST /failures/{id}/ignore"] = (TenantAdmins, async s => new("POST", $"/failures/{await s.FailureAsync()}/ignore")),
            ["POST /failures/{id}/reopen"] = (TenantAdmins, async s => new("POST", $"/failures/{await s.FailureAsync()}/reopen")),
            ["POST /operations"] = (Readers, async s => await s.TaskAsync() is var id
                ? new("POST", "/operations", new { action = "cancel", selection = new { ids = new[] { id } }, dry_run = true }, id)
                : null!),
            ["GET /operations"] = (Readers, async s => new("GET", "/operations?limit=200", Marker: $"{await s.OperationAsync()}")),
            ["GET /operations/{id}"] = (Readers, async s => new("GET", $"/operations/{await s.OperationAsync()}")),
            ["POST /operations/{id}/pause"] = (Readers, async s => new("POST", $"/operations/{await s.OperationAsync()}/pause")),
            ["POST /operations/{id}/resume"] = (Readers, async s =>
                new("POST", $"/operations/{await s.OperationAsync(BulkState.Paused)}/resume")),
            ["POST /operations/{id}/cancel"] = (Readers, async s => new("POST", $"/operations/{await s.OperationAsync()}/cancel")),
            ["POST /operations/{id}/undo"] = (Readers, async s =>
                new("POST", $"/operations/{await s.OperationAsync(BulkState.Completed)}/undo")),
            ["POST /tasks/{id}/cancel"] = (Readers, async s => new("POST", $"/tasks/{await s.TaskAsync()}/cancel")),
            ["DELETE /tasks/{id}"] = (Readers, async s => new("DELETE", $"/tasks/{await s.TaskAsync()}")),
            ["POST /tasks/{id}/retry"] = (Readers, async s => new("POST", $"/tasks/{await s.CancelledTaskAsync()}/retry")),
            ["POST /workers/claim"] = (Workers, async s =>
                new("POST", "/workers/claim", new { queues = new[] { "a-1" }, worker = "w", max = 1000 }, await s.TaskAsync())),
            ["POST /workers/heartbeat"] = ("worker", async s =>
                new("POST", "/workers/heartbeat", new { tasks = new[] { new { id = await s.ClaimedTaskAsync(), attempt = 1 } } },
                    "\"ok\"")),
            ["POST /workers/report"] = ("worker", async s =>
                new("POST", "/workers/report",
                    new { tasks = new[] { new { id = await s.ClaimedTaskAsync(), attempt = 1, outcome = "completed" } } }, "\"ok\"")),
            ["GET /workers"] = (Owners, async s => new("GET", "/workers?limit=200", Marker: await s.WorkerAsync())),
            ["POST /workers/{id}/drain"] = ("admin-a operator", async s => new("POST", $"/workers/{await s.WorkerAsync()}/drain")),
            ["DELETE /workers/{id}"] = ("admin-a operator", async s =>
                new("DELETE", $"/workers/{await s.WorkerAsync(WorkerState.Lost)}")),
            ["POST /workers/stopped"] = ("worker admin-queue admin-other operator", _ =>
                Is("POST", "/workers/stopped", new { worker = "w" })),
            ["GET /queues"] = (QueueReaders, _ => Is("GET", "/queues", marker: "\"a-1\"")),
            ["PUT /queues/{name}"] = (QueueAdmins, _ => Is("PUT", "/queues/a-1", new { description = "changed" })),
            ["GET /queues/{name}"] = (QueueReaders, _ => Is("GET", "/queues/a-1")),
            ["DELETE /queues/{name}"] = (QueueAdmins, async s => new("DELETE", $"/queues/{await s.QueueAsync()}")),
            ["POST /queues/{name}/pause"] = (QueueAdmins, async s => new("POST", $"/queues/{await s.QueueAsync()}/pause")),
            ["POST /queues/{name}/resume"] = (QueueAdmins, async s => new("POST", $"/queues/{await s.QueueAsync()}/resume")),
            ["POST /queues/{name}/purge"] = (QueueAdmins, async s => new("POST", $"/queues/{await s.QueueAsync()}/purge")),
            ["POST /queues/{name}/redrive"] = (QueueAdmins, async s => new("POST", $"/queues/{await s.QueueAsync()}/redrive")),
            ["GET /queues/{name}/tasks"] = (Readers, async s => new("GET", "/queues/a-1/tasks?limit=1000", Marker: await s.TaskAsync())),
            ["GET /queues/{queue}/schedules"] = (Readers, async s =>
                new("GET", "/queues/a-1/schedules", Marker: $"\"{await s.ScheduleAsync()}\"")),
            ["PUT /queues/{queue}/schedules/{name}"] = (TenantAdmins, async s =>
                new("PUT", $"/queues/a-1/schedules/{await s.ScheduleAsync()}", new { cron = "0 9 * * *" })),
            ["GET /queues/{queue}/schedules/{name}"] = (Readers, async s => new("GET", $"/queues/a-1/schedules/{await s.ScheduleAsync()}")),
            ["DELETE /queues/{queue}/schedules/{name}"] = (TenantAdmins, async s =>
                new("DELETE", $"/queues/a-1/schedules/{await s.ScheduleAsync()}")),
            ["POST /queues/{queue}/schedules/{name}/pause"] = (TenantAdmins, async s =>
                new("POST", $"/queues/a-1/schedules/{await s.ScheduleAsync()}/pause")),
            ["POST /queues/{queue}/schedules/{name}/resume"] = (TenantAdmins, async s =>
                new("POST", $"/queues/a-1/schedules/{await s.ScheduleAsync()}/resume")),
            ["POST /queues/{queue}/schedules/{name}/run"] = (TenantAdmins, async s =>
                new("POST", $"/queues/a-1/schedules/{await s.ScheduleAsync()}/run")),
            ["GET /queues/{queue}/schedules/{name}/next"] = (Readers, async s =>
                new("GET", $"/queues/a-1/schedules/{await s.ScheduleAsync()}/next")),
            ["POST /tasks/{id}/callbacks/{callback}/resend"] = (Readers, async s => await s.CallbackAsync() is var (task, callback)
                ? new("POST", $"/tasks/{task}/callbacks/{callback}/resend") : null!),
            ["GET /schedules"] = (Readers, async s => new("GET", "/schedules?limit=200", Marker: $"\"{await s.ScheduleAsync()}\"")),
            ["GET /schedules/preview"] = (QueueReaders + " narrow admin-other", _ =>
                Is("GET", "/schedules/preview?cron=0%208%20*%20*%20*")),
            ["GET /batches"] = (Readers, async s => new("GET", "/batches?limit=200", Marker: await s.BatchAsync())),
            ["GET /batches/{id}"] = (Readers, async s => new("GET", $"/batches/{await s.BatchAsync()}")),
            ["POST /batches/{id}/cancel"] = (Readers, async s => new("POST", $"/batches/{await s.BatchAsync()}/cancel")),
            ["POST /batches/{id}/retry-failed"] = (BatchOwners, async s => // 409: it runs
                new("POST", $"/batches/{await s.BatchAsync()}/retry-failed", Marker: AccessServer.IsThere)),
            ["GET /console/overview"] = ("admin-queue operator", _ => Is("GET", "/console/overview", marker: "\"a-1\"")),
            ["GET /console/events"] = (QueueReaders + " narrow admin-other", _ => Is("GET", "/console/events")),
            ["POST /v1/queue/register"] = (Submitters, s =>
                Is("POST", "/v1/queue/register", new { queue = s.NewName("a-"), endpoint = "/x" })),
            ["GET /v1/queue/{queue}/metadata"] = (QueueReaders, _ => Is("GET", "/v1/queue/a-1/metadata")),
            ["POST /v1/queue/put"] = (Submitters, _ => Is("POST", "/v1/queue/put", new { queue = "a-1", endpoint = "/x", data = new { } })),
            ["POST /v1/queue/take"] = (Workers, async s =>
                new("POST", "/v1/queue/take", new { queues = new[] { "a-1:3" }, size = 1000, strategy = "active_passive" },
                    await s.BellaTaskAsync())),
            ["POST /v1/queue/{taskId}/complete"] = ("worker", async s =>
                new("POST", $"/v1/queue/{await s.ClaimedTaskAsync()}/complete", new { x = 1 }, AccessServer.AsksState)),
            ["POST /v1/queue/{taskId}/progress"] = ("", async s =>
                new("POST", $"/v1/queue/{await s.ClaimedTaskAsync()}/progress", new { eventId = 1 })), // 404: nobody waits for it
            ["POST /v1/queue/{taskId}/cancel"] = (Readers, async s =>
                new("POST", $"/v1/queue/{await s.TaskAsync()}/cancel", Marker: AccessServer.AsksState)),
            ["GET /v1/queue/eventbus"] = ("worker admin-queue admin-other operator", _ => Is("GET", "/v1/queue/eventbus")),
            ["GET /v1/queue/{queue}/stats"] = (QueueReaders, _ => Is("GET", "/v1/queue/a-1:1/stats")),
            ["GET /v1/queue/{taskId}"] = (Readers, async s => new("GET", $"/v1/queue/{await s.TaskAsync()}")),
            ["POST /v1/console/{queue}/clear"] = (QueueAdmins, _ => Is("POST", "/v1/console/a-1:9/clear")),
            ["GET /v1/console/queue/stats"] = (QueueReaders, _ => Is("GET", "/v1/console/queue/stats", marker: "\"a-1\"")),
            ["POST /v1/files"] = (Senders, _ =>
                Is("POST", "/v1/files", AccessServer.File)),
            ["GET /v1/files"] = (Owners, async s => new("GET", "/v1/files", Marker: await s.FileAsync())),
            ["GET /v1/files/{id}"] = (Owners, async s => new("GET", $"/v1/files/{await s.FileAsync()}")),
            ["GET /v1/files/{id}/content"] = (Owners, async s => new("GET", $"/v1/files/{await s.FileAsync()}/content")),
            ["HEAD /v1/files/{id}"] = (Owners, async s => new("HEAD", $"/v1/files/{await s.FileAsync()}")),
            ["HEAD /v1/files/{id}/content"] = (Owners, async s => new("HEAD", $"/v1/files/{await s.FileAsync()}/content")),
            ["DELETE /v1/files/{id}"] = (Owners, async s => new("DELETE", $"/v1/files/{await s.FileAsync()}")),
            ["POST /v1/uploads"] = (Senders, _ =>
                Is("POST", "/v1/uploads", new { filename = "f", purpose = "batch", bytes = 2 })),
            ["POST /v1/uploads/{id}/parts"] = (Owners, async s => // 400: no part
                new("POST", $"/v1/uploads/{await s.UploadAsync()}/parts", Marker: AccessServer.IsThere)),
            ["POST /v1/uploads/{id}/complete"] = (Owners, async s => // 400: its bytes are missing
                new("POST", $"/v1/uploads/{await s.UploadAsync()}/complete", new { part_ids = Array.Empty<string>() },
                    AccessServer.IsThere)),
            ["POST /v1/uploads/{id}/cancel"] = (Owners, async s => new("POST", $"/v1/uploads/{await s.UploadAsync()}/cancel")),
            ["POST /v1/batches"] = (BatchOwners, async s =>
                new("POST", "/v1/batches", new { input_file_id = await s.FileAsync(), endpoint = "/v1/x", completion_window = "24h" })),
            ["GET /v1/batches"] = (Readers, async s => new("GET", "/v1/batches?limit=100", Marker: await s.BatchAsync())),
            ["GET /v1/batches/{id}"] = (Readers, async s => new("GET", $"/v1/batches/{await s.BatchAsync()}")),
            ["POST /v1/batches/{id}/retry-failed"] = (BatchOwners, async s => // 409: it runs
                new("POST", $"/v1/batches/{await s.BatchAsync()}/retry-failed", Marker: AccessServer.IsThere)),
            ["GET /v1/batches/{id}/output"] = (BatchOwners, async s => new("GET", $"/v1/batches/{await s.BatchAsync()}/output")),
            ["GET /v1/batches/{id}/errors"] = (BatchOwners, async s => new("GET", $"/v1/batches/{await s.BatchAsync()}/errors")),
            ["POST /v1/chat/completions"] = (Senders, _ => Asks("/v1/chat/completions")),
            ["POST /v1/completions"] = (Senders, _ => Asks("/v1/completions")),
            ["POST /v1/responses"] = (Senders, _ => Asks("/v1/responses")),
            ["POST /v1/embeddings"] = (Senders, _ => Asks("/v1/embeddings")),
            ["POST /v1/moderations"] = (Senders, _ => Asks("/v1/moderations")),
            ["POST /v1/images/generations"] = (Senders, _ => Asks("/v1/images/generations")),
            ["GET /v1/models"] = (Readers, async s => new("GET", "/v1/models", Marker: $"\"{await s.ModelAsync()}\"")),
            ["GET /v1/models/{**id}"] = (Readers, async s => new("GET", $"/v1/models/{await s.ModelAsync()}")),
            ["POST /v1/batches/{id}/cancel"] = (Readers, async s => new("POST", $"/v1/batches/{await s.BatchAsync()}/cancel")),
            ["POST /moab/Enqueue"] = (Submitters, _ =>
                Is("POST", "/moab/Enqueue", new { queue_name = "a-1", entries = new[] { new { payload = "1" } } })),
            ["POST /moab/Dequeue"] = (Workers, _ => Is("POST", "/moab/Dequeue", new { queue_name = "a-1" })),
            ["POST /moab/ReportStatus"] = ("worker", async s => await s.DequeuedTaskAsync() is var id
                ? new("POST", "/moab/ReportStatus",
                    new { queue_name = s.MoabQueue, entries = new[] { new { task_id = id, attempt = 1, status = "SUCCEEDED" } } },
                    AccessServer.AsksState)
                : null!),
            ["POST /moab/GetTask"] = (Readers, async s => await s.MoabTaskAsync() is var id
                ? new("POST", "/moab/GetTask", new { queue_name = s.MoabQueue, task_id = id }) : null!),
            ["POST /moab/ListTasks"] = (Readers, async s => await s.MoabTaskAsync() is var id
                ? new("POST", "/moab/ListTasks", new { queue_name = s.MoabQueue, limit = 100 }, id) : null!),
            ["POST /moab/DeleteTasks"] = (Readers, async s => await s.MoabTaskAsync() is var id
                ? new("POST", "/moab/DeleteTasks", new { queue_name = s.MoabQueue, task_ids = new[] { id } }, AccessServer.AsksState)
                : null!),
            ["POST /moab/RestartTasks"] = (Readers, async s => await s.MoabTaskAsync() is var id
                ? new("POST", "/moab/RestartTasks", new { queue_name = s.MoabQueue, task_ids = new[] { id } }, "NOT_DEAD") : null!),
            ["POST /moab/CreateQueue"] = ("admin-a admin-b admin-queue operator", s =>
                Is("POST", "/moab/CreateQueue", new { name = s.NewName("a-"), keepalive_timeout_in_seconds = 5 })),
            ["POST /moab/GetQueue"] = (QueueReaders, _ => Is("POST", "/moab/GetQueue", new { queue_name = "a-1" })),
            ["POST /moab/UpdateQueue"] = (QueueAdmins, _ =>
                Is("POST", "/moab/UpdateQueue", new { queue_name = "a-1", keepalive_timeout_in_seconds = 5 })),
            ["POST /moab/DeleteQueue"] = (QueueAdmins, async s =>
                new("POST", "/moab/DeleteQueue", new { queue_name = await s.QueueAsync() })),
            ["POST /moab/ListQueues"] = (QueueReaders, _ => Is("POST", "/moab/ListQueues", new { }, "\"a-1\"")),
            ["POST /moab/PurgeQueue"] = (QueueAdmins, async s =>
                new("POST", "/moab/PurgeQueue", new { queue_name = await s.QueueAsync() })),
            ["POST /moab/CreateSchedule"] = ("admin-a admin-b admin-queue operator", s =>
                Is("POST", "/moab/CreateSchedule",
                    new { queue_name = "a-1", name = s.NewName("s"), cron = "0 8 * * *", timezone = "UTC", payload = "1" })),
            ["POST /moab/GetSchedule"] = (Readers, async s =>
                new("POST", "/moab/GetSchedule", new { queue_name = "a-1", schedule_name = await s.ScheduleAsync() })),
            ["POST /moab/UpdateSchedule"] = (TenantAdmins, async s =>
                new("POST", "/moab/UpdateSchedule",
                    new { queue_name = "a-1", schedule_name = await s.ScheduleAsync(), cron = "0 9 * * *", timezone = "UTC" })),
            ["POST /moab/DeleteSchedule"] = (TenantAdmins, async s =>
                new("POST", "/moab/DeleteSchedule", new { queue_name = "a-1", schedule_name = await s.ScheduleAsync() })),
            ["POST /moab/ListSchedules"] = (Readers, async s =>
                new("POST", "/moab/ListSchedules", new { queue_name = "a-1", limit = 100 }, $"\"{await s.ScheduleAsync()}\"")),
            ["POST /agent/process-async"] = ("a a2 b admin-a admin-b operator", _ =>
                Is("POST", "/agent/process-async", new { query = "q" })),
            ["GET /agent/task-status/{id}"] = (Readers, async s => new("GET", $"/agent/task-status/{await s.TaskAsync()}")),
            ["POST /keys"] = ("admin-a operator", _ =>
                Is("POST", "/keys", new { name = "k", tenant = "a", scopes = new[] { "read" }, queues = new[] { "a-1" } })),
            ["GET /keys"] = ("admin-a operator", async s => new("GET", "/keys", Marker: await s.KeyAsync())),
            ["GET /keys/{id}"] = ("admin-a operator", async s => new("GET", $"/keys/{await s.KeyAsync()}")),
            ["DELETE /keys/{id}"] = ("admin-a operator", async s => new("DELETE", $"/keys/{await s.KeyAsync()}")),
            ["POST /keys/{id}/rotate"] = ("admin-a operator", async s => new("POST", $"/keys/{await s.KeyAsync()}/rotate")),
            ["GET /audit"] = ("admin-a operator", async s => new("GET", "/audit?limit=1000", Marker: await s.AuditedAsync())),
            ["GET /quarantine"] = (TenantAdmins, async s => await s.QuarantinedAsync() is var id
                ? new("GET", "/quarantine?limit=1000", Marker: $"\"id\":{id},") : null!),
            ["POST /quarantine/{id}/release"] = (TenantAdmins, async s =>
                new("POST", $"/quarantine/{await s.QuarantinedAsync()}/release", Marker: AccessServer.IsThere)),
            ["DELETE /quarantine/{id}"] = (TenantAdmins, async s =>
                new("DELETE", $"/quarantine/{await s.QuarantinedAsync()}", Marker: AccessServer.IsThere)),
            ["GET /maintenance"] = ("operator", _ => Is("GET", "/maintenance")),
            ["POST /maintenance/{job}/run"] = ("operator", _ => Is("POST", "/maintenance/stale-usage/run")),
            ["GET /quota"] = ("a a2 admin-a operator narrow", _ => Is("GET", "/quota?tenant=a")),
            ["GET /statistics"] = (QueueReaders, _ => Is("GET", "/statistics?queue=a-1")),
            ["GET /webhooks/secret"] = ("a a2 admin-a operator narrow", _ => Is("GET", "/webhooks/secret?owner=a")),
            ["GET /events"] = (QueueReaders, _ => Is("GET", "/events?queue=a-1")),
            ["GET /metrics"] = (QueueReaders + " narrow admin-other", _ => Is("GET", "/metrics")),
            ["GET /scaling/{queue}"] = (QueueAdmins, _ => Is("GET", "/scaling/a-1")),
        };

    /// <summary>A request that is refused for its missing model, after the caller was let through.</summary>
    private static Task<AccessProbe> Asks(string path) => Is("POST", path, new { }, AccessServer.IsThere);

    private static Task<AccessProbe> Is(string method, string path, object? body = null, string? marker = null) =>
        Task.FromResult(new AccessProbe(method, path, body, marker));
}
