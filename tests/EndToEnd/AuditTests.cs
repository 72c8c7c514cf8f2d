using System.Text.Json;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Engine;
using TaskQueue.Engine.Audit;
using TaskQueue.Http.Audit;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Administrative actions and refusals are recorded, and readable by those who may.</summary>
public sealed class AuditTests(KeyServer server) : IClassFixture<KeyServer>
{
    private readonly string _queue = $"q{Guid.NewGuid():N}"[..12];

    [Fact]
    public async Task Every_administrative_action_of_every_API_is_audited_with_its_changes()
    {
        var (q, m, b) = (_queue, $"{_queue}m", $"{_queue}b");
        (string Method, string Path, object? Body, string Action, string Target)[] acts =
        [
            ("PUT", $"/queues/{q}", new { max_running = 3 }, "queue.put", $"queue/{q}"),
            ("PUT", $"/queues/{q}", new { max_running = 4 }, "queue.put", $"queue/{q}"),
            ("POST", $"/queues/{q}/pause", null, "queue.pause", $"queue/{q}"),
            ("POST", $"/queues/{q}/resume", null, "queue.resume", $"queue/{q}"),
            ("POST", $"/queues/{q}/redrive", null, "queue.redrive", $"queue/{q}"),
            ("PUT", $"/queues/{q}/schedules/s", new { cron = "0 0 1 1 *", action = "a", data = new { password = "hunter2" } },
                "schedule.put", $"schedule/{q}/s"),
            ("POST", $"/queues/{q}/schedules/s/pause", null, "schedule.pause", $"schedule/{q}/s"),
            ("POST", $"/queues/{q}/schedules/s/resume", null, "schedule.resume", $"schedule/{q}/s"),
            ("POST", $"/queues/{q}/schedules/s/run", null, "schedule.run", $"schedule/{q}/s"),
            ("DELETE", $"/queues/{q}/schedules/s", null, "schedule.delete", $"schedule/{q}/s"),
            ("POST", $"/queues/{q}/purge", null, "queue.purge", $"queue/{q}"),
            ("DELETE", $"/queues/{q}", null, "queue.delete", $"queue/{q}"),
            ("POST", "/moab/CreateQueue", new { name = m, keepalive_timeout_in_seconds = 5 }, "queue.put", $"queue/{m}"),
            ("POST", "/moab/UpdateQueue", new { queue_name = m, keepalive_timeout_in_seconds = 6 }, "queue.put", $"queue/{m}"),
            ("POST", "/com.evrblk.moab.preview.MoabPreviewApi/UpdateQueue", new { queue_name = m, keepalive_timeout_in_seconds = 6 },
                "queue.put", $"queue/{m}"),
            ("POST", "/moab/CreateSchedule", new { queue_name = m, name = "s", cron = "0 0 1 1 *", timezone = "UTC", payload = "hunter2" },
                "schedule.put", $"schedule/{m}/s"),
            ("POST", "/moab/UpdateSchedule", new { queue_name = m, schedule_name = "s", cron = "0 0 2 1 *", timezone = "UTC" },
                "schedule.put", $"schedule/{m}/s"),
            ("POST", "/moab/DeleteSchedule", new { queue_name = m, schedule_name = "s" }, "schedule.delete", $"schedule/{m}/s"),
            ("POST", "/moab/PurgeQueue", new { queue_name = m }, "queue.purge", $"queue/{m}"),
            ("POST", "/moab/DeleteQueue", new { queue_name = m }, "queue.delete", $"queue/{m}"),
            ("POST", "/v1/queue/register", new { queue = b, endpoint = "/x" }, "queue.put", $"queue/{b}"),
            ("POST", $"/v1/console/{b}:1/clear", null, "queue.clear", $"queue/{b}:1"),
            ("POST", "/maintenance/stale-usage/run", null, "maintenance.run", "maintenance/stale-usage"),
        ];
        foreach (var act in acts)
        {
            var reply = await server.CallAsync(KeyServer.Boss, act.Method, act.Path, act.Body, from: "192.0.2.7");
            reply.Status.ShouldBeInRange(200, 299, $"{act.Path}: {reply.Text}");
            var record = (await server.AuditAsync($"actor=boss&target={act.Target}&limit=1")).ShouldHaveSingleItem(); // at once
            (record.Text("action"), record.Text("result"), record.Text("actor"), record.Text("tenant"), record.Text("address"))
                .ShouldBe((act.Action, "done", "boss", "boss", "192.0.2.7"), act.Path);
        }

        var changes = await server.AuditAsync($"target=queue/{q}&action=queue.put");
        changes.Select(c => c.GetProperty("after").Whole("max_running")).ShouldBe([4, 3]);
        changes[0].GetProperty("before").Whole("max_running").ShouldBe(3);
        changes[1].GetProperty("before").ValueKind.ShouldBe(JsonValueKind.Null);
        (await server.AuditAsync($"target=queue/{q}&action=queue.pause"))[0].GetProperty("after").GetProperty("paused").GetBoolean()
            .ShouldBeTrue();
        var schedules = (await server.AuditAsync($"action=schedule.put"))
            .Where(r => r.Text("target")!.Contains(_queue, StringComparison.Ordinal)).ToList();
        schedules.Count.ShouldBe(3);
        string.Concat(schedules).ShouldNotContain("hunter2");

        var mapped = server.Host.Services.GetRequiredService<EndpointDataSource>()
            .Endpoints.Select(e => e.Metadata.GetMetadata<AuditedRoute>()).OfType<AuditedRoute>();
        mapped.Where(r => !r.OnlyWhenNoted).Select(r => r.Action).Distinct()
            .Except(["key.issue", "key.rotate", "key.revoke", "quarantine.release", "quarantine.drop", "failure.resolve", "failure.ignore",
                "failure.reopen", "worker.drain", "worker.delete", "callback.resend", "console.sign_in",
                "operation.pause", "operation.resume", "operation.cancel", "operation.undo"])
            .ShouldBe(acts.Select(a => a.Action).Distinct(), ignoreOrder: true);
    }

    [Fact]
    public async Task Calls_of_gRPC_are_audited_as_those_of_JSON()
    {
        using var boss = new MoabGrpcTransport(server.Http.BaseAddress!, KeyServer.Boss);
        using var reader = new MoabGrpcTransport(server.Http.BaseAddress!, KeyServer.Reader);
        var body = $$"""{"name":"{{_queue}}","keepalive_timeout_in_seconds":5}""";

        (await boss.CallAsync("CreateQueue", body)).Status.ShouldBe(200);
        var record = (await server.AuditAsync($"actor=boss&target=queue/{_queue}&limit=1")).ShouldHaveSingleItem(); // at once
        (record.Text("action"), record.Text("result")).ShouldBe(("queue.put", "done"));
        record.GetProperty("before").ValueKind.ShouldBe(JsonValueKind.Null);
        record.GetProperty("after").ValueKind.ShouldBe(JsonValueKind.Object);

        (await boss.CallAsync("CreateQueue", body)).Status.ShouldBe(409);
        (await reader.CallAsync("CreateQueue", body)).Status.ShouldBe(403);
        await Eventually.UntilAsync(
            async () => (await server.AuditAsync($"target=queue/{_queue}&action=queue.put"))
                .Any(r => r.Text("result")!.StartsWith("failed: ", StringComparison.Ordinal)),
            TestHttp.Patience, "the failure is recorded");
        await Eventually.UntilAsync(
            async () => (await server.AuditAsync("action=access.refused&actor=reader"))
                .Any(r => r.Text("target") == "POST /com.evrblk.moab.v0.MoabApi/CreateQueue"),
            TestHttp.Patience, "the refusal is recorded");
    }

    [Fact]
    public async Task Key_operations_are_audited_without_the_key()
    {
        var (id, key) = await server.IssueAsync(new { name = "audited", tenant = _queue });
        var rotated = (await server.CallAsync(KeyServer.Boss, "POST", $"/keys/{id}/rotate", new { overlap_seconds = 5 })).Json.Text("key")!;
        (await server.CallAsync(KeyServer.Boss, "DELETE", $"/keys/{id}")).Status.ShouldBe(204);

        var records = await server.AuditAsync($"target=key/{id}");
        records.Select(r => r.Text("action")).ShouldBe(["key.revoke", "key.rotate", "key.issue"]);
        records[2].GetProperty("after").Text("tenant").ShouldBe(_queue);
        records[0].GetProperty("before").Text("name").ShouldBe("audited");
        foreach (var secret in new[] { key, rotated })
            string.Concat(records).ShouldNotContain(secret[3..]);
    }

    [Fact]
    public async Task Administrators_changes_to_others_files_are_audited_and_owners_changes_are_not()
    {
        var (_, owner) = await server.IssueAsync(new { name = "owner", tenant = _queue });
        foreach (var by in new[] { owner, KeyServer.Boss })
        {
            var id = await UploadAsync(owner);
            (await server.CallAsync(by, "DELETE", $"/v1/files/{id}")).Status.ShouldBe(200);
            (await server.AuditAsync($"target=file/{id} of {_queue}")).Count.ShouldBe(by == owner ? 0 : 1);
        }
    }

    [Fact]
    public async Task Failed_actions_and_refused_access_are_audited()
    {
        Problems.Expect(await server.CallAsync(KeyServer.Boss, "POST", $"/queues/{_queue}/purge"), 404, "not_found");
        (await server.CallAsync(KeyServer.Reader, "POST", $"/queues/{_queue}/purge", from: "2001:db8:1:2:3:4:5:6")).Status.ShouldBe(403);
        (await server.CallAsync(KeyServer.ShopAdmin, "POST", $"/queues/{_queue}/purge")).Status.ShouldBe(403);

        await Eventually.UntilAsync(
            async () => (await server.AuditAsync($"target=queue/{_queue}&result=failed: not_found")).Count == 1,
            TestHttp.Patience, "the failure is recorded");
        await Eventually.UntilAsync(
            async () => (await server.AuditAsync("action=access.refused&actor=reader")).Any(r =>
                (r.Text("target"), r.Text("address"), r.Text("result"))
                    == ($"POST /queues/{_queue}/purge", "2001:db8:1:2::/64", "refused: forbidden")),
            TestHttp.Patience, "the refusal is recorded");
        await Eventually.UntilAsync(
            async () => (await server.AuditAsync("action=access.refused&actor=shop-admin")).Count > 0,
            TestHttp.Patience, "so is the other one");
    }

    [Fact]
    public async Task Administrators_of_a_tenant_read_their_tenants_audit_records()
    {
        await server.CallAsync(KeyServer.AnnAdmin, "PUT", $"/queues/{_queue}", new { });
        await server.CallAsync(KeyServer.Boss, "PUT", $"/queues/{_queue}2", new { });

        (await server.AuditAsync("limit=1000", KeyServer.AnnAdmin)).ShouldAllBe(r => r.Text("tenant") == "ann");
        (await server.AuditAsync($"target=queue/{_queue}", KeyServer.AnnAdmin)).Count.ShouldBe(1);
        (await server.AuditAsync("tenant=boss", KeyServer.AnnAdmin)).ShouldBeEmpty();
        (await server.AuditAsync($"target=queue/{_queue}2&tenant=boss")).Count.ShouldBe(1);
        (await server.CallAsync(KeyServer.Reader, "GET", "/audit")).Status.ShouldBe(403);
    }

    [Fact]
    public async Task Records_are_paged_and_filtered_by_time()
    {
        for (var i = 0; i < 5; i++)
            await server.CallAsync(KeyServer.Boss, "PUT", $"/queues/{_queue}", new { max_running = i });
        List<int> seen = [];
        string? after = null;
        do
        {
            var page = (await server.CallAsync(KeyServer.Boss, "GET",
                $"/audit?target=queue/{_queue}&limit=2{(after is null ? "" : $"&after={after}")}")).Json;
            seen.AddRange(page.GetProperty("records").EnumerateArray().Select(r => r.GetProperty("after").Whole("max_running")));
            after = page.Text("next");
        }
        while (after is not null);

        seen.ShouldBe([4, 3, 2, 1, 0]);
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        (await server.AuditAsync($"target=queue/{_queue}&from={now - 600}&to={now + 600}")).Count.ShouldBe(5);
        (await server.AuditAsync($"target=queue/{_queue}&from={now + 600}")).ShouldBeEmpty();
        foreach (var wrong in new[] { "limit=0", "limit=1001", "after=x", "from=yesterday", "to=2030-01-01", "actor=%00" })
            Problems.Expect(await server.CallAsync(KeyServer.Boss, "GET", $"/audit?{wrong}"), 400, "invalid_request");
    }

    [Fact]
    public async Task Old_records_are_removed()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        var now = Micros.Now(TimeProvider.System);
        await using (var db = database.CreateContext())
        {
            db.Audit.AddRange(Enumerable.Range(0, 1200)
                .Select(i => new AuditRecord { At = now.AddDays(i == 0 ? -6 : -8), Action = "a", Result = "done" }));
            await db.SaveChangesAsync();
        }

        await using var host = await TestHost.StartAsync(database.ConnectionString, settings: new Dictionary<string, string?>
        {
            ["TaskQueue:Audit:KeepDays"] = "7",
        });
        await using var look = database.CreateContext();
        await Eventually.UntilAsync(async () => await look.Audit.CountAsync() == 1, TestHttp.Patience, "only the young record is left");
    }

    private async Task<string> UploadAsync(string key)
    {
        using var form = new MultipartFormDataContent { { new StringContent("batch"), "purpose" },
            { new ByteArrayContent("{}"u8.ToArray()), "file", "f.jsonl" } };
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri("/v1/files", UriKind.Relative)) { Content = form };
        request.Headers.Authorization = new("Bearer", key);
        using var answer = await server.Http.SendAsync(request);
        return JsonSerializer.Deserialize<JsonElement>(await answer.Content.ReadAsStringAsync()).Text("id")!;
    }
}
