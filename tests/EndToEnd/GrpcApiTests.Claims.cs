extern alias grpc;

using Grpc.Core;
using grpc::TaskQueue.Rpc.V1;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

public abstract partial class GrpcApiTests
{
    [Fact]
    public async Task A_claim_delivers_no_more_tasks_than_it_has_credit_for()
    {
        var ids = await Http.SubmitManyAsync(Enumerable.Range(0, 10).Select(_ => new { action = "a", queue = _queue }));
        using var claim = await _client.ClaimAsync(_queue, credit: 3, wait: 1);
        var first = await claim.TakeAsync(3);
        for (var silent = 0; silent < 3; silent++)
            (await claim.NextAsync()).ShouldBeTrue(); // signs of life
        (await RunningAsync(ids)).ShouldBe(3);
        await claim.GrantAsync(2);
        var second = await claim.TakeAsync(2);
        (await claim.NextAsync()).ShouldBeTrue();
        (await RunningAsync(ids)).ShouldBe(5);
        await claim.GrantAsync(1);
        await claim.GrantAsync(100);
        var third = await claim.TakeAsync(5);

        first.Concat(second).Concat(third).Select(t => Guid.Parse(t.Id)).ShouldBe(ids, ignoreOrder: true);
        await claim.CompleteAsync();
        (await claim.RestAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_claim_has_what_a_claim_over_HTTP_has()
    {
        var id = await Http.SubmitAsync(new { action = "resize", data = new { width = 10 }, queue = $"{_queue}:3", priority = "critical",
            max_attempts = 2, ordering_key = "o", tags = Tags });
        using var claim = await _client.ClaimAsync($"{_queue}:3", credit: 1);
        var task = (await claim.TakeAsync(1)).Single();

        (task.Id, task.Attempt, task.Queue, task.Tier, task.Name).ShouldBe((id.ToString(), 1, _queue, 3, "resize"));
        (task.Priority, task.MaxAttempts, task.LeaseSeconds, task.OrderingKey).ShouldBe((Priority.Critical, 2, 60, "o"));
        task.Payload.ToStringUtf8().ShouldContain("\"data\":{\"width\":10}");
        task.Tags.ShouldBe(["t"]);
        task.LeaseUntil.ToDateTimeOffset().ShouldBe(TimeProvider.System.GetUtcNow().AddSeconds(60), TimeSpan.FromSeconds(20));
        (await Http.TaskAsync(id)).Text("worker").ShouldBe("w");
    }

    [Fact]
    public async Task Tasks_come_as_soon_as_they_are_due()
    {
        using var claim = await _client.ClaimAsync(_queue, credit: 100);
        (await claim.NextAsync()).ShouldBeTrue();
        for (var i = 0; i < 5; i++)
        {
            var id = await Http.SubmitAsync(new { action = "a", queue = _queue });
            (await claim.TakeAsync(1)).Single().Id.ShouldBe(id.ToString());
        }
    }

    [Fact]
    public async Task Large_tasks_come_in_several_messages()
    {
        var data = new string('x', 600_000);
        await Http.SubmitManyAsync(Enumerable.Range(0, 6).Select(_ => new { action = "a", queue = _queue, data }));
        using var claim = await _client.ClaimAsync(_queue, credit: 6);
        (await claim.TakeAsync(6)).ShouldAllBe(t => t.Payload.Length > 600_000);
    }

    [Fact]
    public async Task What_a_worker_that_ends_its_requests_does_not_receive_is_given_back()
    {
        // Each time the tasks may be claimed before or after the end, and are never lost.
        for (var round = 0; round < 10; round++)
        {
            using var claim = await _client.ClaimAsync(_queue, credit: 5);
            (await claim.NextAsync()).ShouldBeTrue();
            var submitting = Http.SubmitManyAsync(
                Enumerable.Range(0, 5).Select(_ => new { action = "a", queue = _queue, max_attempts = 1 }));
            await claim.CompleteAsync();
            var ids = await submitting;
            var got = (await claim.RestAsync()).Select(t => Guid.Parse(t.Id)).ToList();

            var rest = new List<Guid>();
            await Eventually.UntilAsync(async () =>
            {
                rest.AddRange((await Http.ClaimAsync(_queue, max: 10)).Select(t => t.Id()));
                return got.Count + rest.Count == 5;
            }, TestHttp.Patience, "the others are there");
            got.Concat(rest).ShouldBe(ids, ignoreOrder: true);
        }
    }

    [Fact]
    public async Task A_worker_that_leaves_while_it_waits_takes_no_task()
    {
        for (var i = 0; i < 3; i++)
        {
            using (var claim = await _client.ClaimAsync(_queue, credit: 10))
            {
                (await claim.NextAsync()).ShouldBeTrue();
                (await PostsAsync()).ShouldBeGreaterThan(0);
            }

            // Until the server notices, what it sends may be lost on the way, as if the worker had died with it.
            await Eventually.UntilAsync(async () => await PostsAsync() == 0, TestHttp.Patience, "the server has noticed");
            var id = await Http.SubmitAsync(new { action = "a", queue = _queue, max_attempts = 1 });
            (await Http.ClaimAsync(_queue, lease_seconds: 60)).ShouldHaveSingleItem().Id().ShouldBe(id);
        }

        async Task<double> PostsAsync() =>
            (await MetricsText.ReadAsync(Http)).Sum("http_server_active_requests", ("http_request_method", "POST"));
    }

    [Theory]
    [InlineData(5)]
    [InlineData(0)]
    public async Task A_worker_that_is_drained_is_told_and_gets_no_more(int credit)
    {
        var name = $"w{Guid.NewGuid():N}";
        using var claim = await _client.ClaimAsync(_queue, credit, worker: name, wait: 1, instance: "i");
        (await claim.NextAsync()).ShouldBeTrue();
        string? id = null;
        await Eventually.UntilAsync(async () =>
        {
            var worker = (await Http.ReadAsync("/workers?limit=200")).Json.GetProperty("workers").EnumerateArray()
                .FirstOrDefault(w => w.Text("name") == name);
            if (worker.ValueKind == System.Text.Json.JsonValueKind.Undefined)
                return false;
            worker.Text("transport").ShouldBe("grpc");
            id = worker.Text("id");
            return true;
        }, TestHttp.Patience, "the worker is listed");

        (await Http.PostAsync($"/workers/{id}/drain", "")).Status.ShouldBe(202);

        (await claim.RestAsync()).ShouldBeEmpty();
        claim.Drain.ShouldBeTrue();
        var begun = TimeProvider.System.GetTimestamp();
        for (var i = 0; i < 2; i++)
        {
            using var another = await _client.ClaimAsync(_queue, credit, worker: name, wait: 1, instance: "i");
            (await another.RestAsync()).ShouldBeEmpty();
            another.Drain.ShouldBeTrue();
        }

        TimeProvider.System.GetElapsedTime(begun).ShouldBeGreaterThan(TimeSpan.FromSeconds(0.9), "it does not claim in a loop");
        await _client.Workers.StoppedAsync(new StoppedRequest { Worker = name });
    }

    [Fact]
    public async Task A_claim_that_cannot_be_is_refused()
    {
        foreach (var (request, status, code) in new[]
        {
            (new ClaimRequest { Worker = "w" }, StatusCode.InvalidArgument, "invalid_request"),
            (new ClaimRequest { Queues = { _queue } }, StatusCode.InvalidArgument, "invalid_request"),
            (new ClaimRequest { Queues = { _queue }, Worker = "w", Credit = -1 }, StatusCode.InvalidArgument, "invalid_request"),
            (new ClaimRequest { Queues = { _queue }, Worker = "w", Credit = 1001 }, StatusCode.InvalidArgument, "invalid_request"),
            (new ClaimRequest { Queues = { _queue }, Worker = "w", WaitSeconds = 31 }, StatusCode.InvalidArgument, "invalid_request"),
        })
        {
            using var claim = new ClaimCall(_client.Workers.Claim());
            await claim.SendAsync(request);
            var refused = await GrpcClient.RefusedAsync(claim.RestAsync);
            (refused.Status, refused.Code).ShouldBe((status, code), $"{request}: {refused.Text}");
        }

        using var more = await _client.ClaimAsync(_queue, credit: 900);
        (await more.NextAsync()).ShouldBeTrue();
        await more.GrantAsync(101);
        (await GrpcClient.RefusedAsync(more.RestAsync)).Text.ShouldContain("credit must be 1 to 1000");
        using var nothing = await _client.ClaimAsync(_queue, credit: 1);
        await nothing.GrantAsync(0);
        (await GrpcClient.RefusedAsync(nothing.RestAsync)).Text.ShouldContain("credit must be 1 to 1000");
        using var none = new ClaimCall(_client.Workers.Claim());
        await none.CompleteAsync();
        (await GrpcClient.RefusedAsync(none.RestAsync)).Status.ShouldBe(StatusCode.InvalidArgument);
    }

    private async Task<int> RunningAsync(IEnumerable<Guid> ids) =>
        (await Task.WhenAll(ids.Select(Http.TaskAsync))).Count(t => t.Text("status") == "running");
}
