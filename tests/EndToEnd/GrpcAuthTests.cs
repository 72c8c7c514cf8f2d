extern alias grpc;

using Grpc.Core;
using grpc::TaskQueue.Rpc.V1;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;
using TaskStatus = grpc::TaskQueue.Rpc.V1.TaskStatus;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Callers of the native API over gRPC: scopes, tenants, keys that end, limits, and the records of refusals.</summary>
public sealed class GrpcAuthTests(KeyServer server) : IClassFixture<KeyServer>
{
    private readonly string _queue = $"g{Guid.NewGuid():N}";

    private Uri Address => server.Http.BaseAddress!;

    [Fact]
    public async Task Every_call_needs_its_scope()
    {
        var id = Guid.NewGuid().ToString();
        (string Scope, Func<GrpcClient, Task> Call)[] calls =
        [
            ("enqueue", async c => await c.Tasks.EnqueueAsync(new() { Task = new() { Name = "a", Queue = _queue } }, c.Headers)),
            ("enqueue", async c => await c.Tasks.EnqueueManyAsync(
                new() { Tasks = { new NewTask { Name = "a", Queue = _queue } } }, c.Headers)),
            ("enqueue", async c => await c.Tasks.CancelAsync(new() { Id = id }, c.Headers)),
            ("read", async c => await c.Tasks.GetAsync(new() { Id = id }, c.Headers)),
            ("work", async c => await c.Workers.HeartbeatAsync(new() { Tasks = { new Heartbeat { Id = id, Attempt = 1 } } }, c.Headers)),
            ("work", async c => await c.Workers.ReportAsync(
                new() { Tasks = { new Report { Id = id, Attempt = 1, Outcome = Outcome.Completed } } }, c.Headers)),
            ("work", async c => await c.Workers.StoppedAsync(new() { Worker = "w" }, c.Headers)),
            ("work", async c =>
            {
                using var claim = await c.ClaimAsync(_queue, credit: 1);
                await claim.CompleteAsync();
                await claim.RestAsync();
            }),
        ];
        var keys = new Dictionary<string, GrpcClient>();
        foreach (var scope in new[] { "enqueue", "read", "work" })
        {
            var (_, key) = await server.IssueAsync(
                new { name = $"{scope}-{_queue}", scopes = KeyServer.List(scope), queues = KeyServer.List("*") });
            keys[scope] = new GrpcClient(Address, key);
        }

        using var none = new GrpcClient(Address);
        using var wrong = new GrpcClient(Address, "wrong");
        foreach (var (scope, call) in calls)
        {
            foreach (var (has, client) in keys)
            {
                var status = StatusCode.OK;
                try
                {
                    await call(client);
                }
                catch (RpcException fault)
                {
                    status = fault.StatusCode;
                }

                if (has == scope)
                    status.ShouldBeOneOf(StatusCode.OK, StatusCode.NotFound);
                else
                    status.ShouldBe(StatusCode.PermissionDenied, $"{has} instead of {scope}");
            }

            foreach (var client in new[] { none, wrong })
            {
                var refused = await GrpcClient.RefusedAsync(() => call(client));
                (refused.Status, refused.Code, refused.Http).ShouldBe((StatusCode.Unauthenticated, "unauthorized", 401));
            }
        }

        foreach (var (_, client) in keys)
            client.Dispose();
        await Eventually.UntilAsync(
            async () => (await server.AuditAsync("action=access.refused&limit=200"))
                .Any(r => r.ToString().Contains("taskqueue.v1.Workers/Claim", StringComparison.Ordinal)),
            TestHttp.Patience, "refusals are audited");
    }

    [Fact]
    public async Task A_tenant_neither_sees_nor_cancels_the_tasks_of_another()
    {
        using var ann = new GrpcClient(Address, KeyServer.AnnAdmin);
        using var shop = new GrpcClient(Address, (await server.IssueAsync(new { name = $"shop-{_queue}", tenant = "shop",
            scopes = KeyServer.List("enqueue", "read"), queues = KeyServer.List("*") })).Key);
        var task = await ann.Tasks.EnqueueAsync(new() { Task = new() { Name = "a", Queue = _queue } }, ann.Headers);

        (await ann.Tasks.GetAsync(new() { Id = task.Id }, ann.Headers)).Owner.ShouldBe("ann");
        var unseen = await GrpcClient.RefusedAsync(async () => await shop.Tasks.GetAsync(new() { Id = task.Id }, shop.Headers));
        var uncancelled = await GrpcClient.RefusedAsync(async () => await shop.Tasks.CancelAsync(new() { Id = task.Id }, shop.Headers));

        (unseen.Code, uncancelled.Code).ShouldBe(("not_found", "not_found"));
        (await ann.Tasks.GetAsync(new() { Id = task.Id }, ann.Headers)).Status.ShouldBe(TaskStatus.Pending);
    }

    [Fact]
    public async Task Only_the_claiming_key_reports_on_an_attempt()
    {
        var scopes = KeyServer.List("work", "enqueue");
        using var one = new GrpcClient(Address, (await server.IssueAsync(
            new { name = $"one-{_queue}", scopes, queues = KeyServer.List("*") })).Key);
        using var other = new GrpcClient(Address, (await server.IssueAsync(
            new { name = $"other-{_queue}", scopes, queues = KeyServer.List("*") })).Key);
        await one.Tasks.EnqueueAsync(new() { Task = new() { Name = "a", Queue = _queue } }, one.Headers);
        using var claim = await one.ClaimAsync(_queue, credit: 1);
        var task = (await claim.TakeAsync(1)).Single();
        var report = new ReportRequest { Tasks = { new Report { Id = task.Id, Attempt = task.Attempt, Outcome = Outcome.Completed } } };

        (await other.Workers.ReportAsync(report, other.Headers)).Codes.Single().ShouldBe(AnswerCode.StaleAttempt);
        (await one.Workers.ReportAsync(report, one.Headers)).Codes.Single().ShouldBe(AnswerCode.Ok);
    }

    [Fact]
    public async Task A_claim_ends_with_its_key_and_needs_one_for_its_queue()
    {
        var (id, key) = await server.IssueAsync(
            new { name = $"w-{_queue}", scopes = KeyServer.List("work"), queues = KeyServer.List(_queue) });
        using var client = new GrpcClient(Address, key);
        using var claim = await client.ClaimAsync(_queue, credit: 1, wait: 1);
        (await claim.NextAsync()).ShouldBeTrue();
        using (var another = await client.ClaimAsync($"{_queue}-b", credit: 1))
            (await GrpcClient.RefusedAsync(another.RestAsync)).Status.ShouldBe(StatusCode.PermissionDenied);

        (await server.CallAsync(KeyServer.Boss, "DELETE", $"/keys/{id}")).Status.ShouldBe(204);

        (await claim.RestAsync()).ShouldBeEmpty();
        using var again = await client.ClaimAsync(_queue, credit: 1);
        (await GrpcClient.RefusedAsync(again.RestAsync)).Status.ShouldBe(StatusCode.Unauthenticated);
    }
}
