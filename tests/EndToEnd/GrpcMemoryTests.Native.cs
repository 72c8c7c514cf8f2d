extern alias grpc;

using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using grpc::TaskQueue.Rpc.V1;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Engine.Queues;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>What callers of the native API may consume.</summary>
public sealed partial class GrpcMemoryTests
{
    private static readonly Metadata Compressed = new() { { "grpc-internal-encoding-request", "gzip" } };

    [Fact]
    public async Task A_compressed_message_may_have_4_MiB()
    {
        using var client = new GrpcClient(_host.Http.BaseAddress!);
        var data = ByteString.CopyFromUtf8($"\"{new string('x', 1_000_000)}\"");
        var request = new EnqueueManyRequest { Tasks = { Enumerable.Repeat(new NewTask { Name = "a", Queue = "q", Data = data }, 3) } };

        (await client.Tasks.EnqueueManyAsync(request, Compressed)).Tasks.Count.ShouldBe(3);
        request.Tasks.Add(request.Tasks.Take(2).ToList());
        var (status, text, code, _) =
            await GrpcClient.RefusedAsync(async () => await client.Tasks.EnqueueManyAsync(request, Compressed));

        (status, code).ShouldBe((StatusCode.ResourceExhausted, "too_large"));
        text.ShouldContain("at most 4194304 bytes once it is decompressed");
        Budget.Bodies.Used.ShouldBe(0);
    }

    [Fact]
    public async Task A_compressed_message_of_a_claim_stays_small()
    {
        using var client = new GrpcClient(_host.Http.BaseAddress!);
        using var claim = new ClaimCall(client.Workers.Claim(Compressed));
        await claim.SendAsync(new ClaimRequest { Queues = { "q" }, Worker = new string('x', MiB) });
        (await GrpcClient.RefusedAsync(claim.RestAsync)).Text.ShouldContain("at most 65536 bytes once it is decompressed");
    }

    [Fact]
    public async Task A_call_that_waits_for_a_task_holds_no_memory()
    {
        using var client = new GrpcClient(_host.Http.BaseAddress!);
        var id = await _host.Http.SubmitAsync(new { action = "a", queue = "q" });
        using var get = client.Tasks.GetAsync(new GetRequest { Id = id.ToString(), WaitSeconds = 30 });
        var waiters = _host.Services.GetRequiredService<Engine.Tasks.CompletionWaiters>();

        await Eventually.UntilAsync(() => Task.FromResult(waiters.IsAwaited(id)), TestHttp.Patience, "the call waits");
        await Eventually.UntilAsync(() => Task.FromResult(Budget.Small.Used == 0), TestHttp.Patience, "its memory is free");
    }

    [Fact]
    public async Task A_claim_that_fails_says_nothing_before()
    {
        using var client = new GrpcClient(_host.Http.BaseAddress!);
        using var all = await Budget.Claims.ReserveAsync(Budget.Claims.Size, CancellationToken.None);
        foreach (var wait in new[] { 1, 20 })
        {
            using var claim = await client.ClaimAsync("q", credit: 1, wait: wait);
            var (status, _, code, _) = await GrpcClient.RefusedAsync(claim.NextAsync);
            (status, code).ShouldBe((StatusCode.Unavailable, "overloaded"));
        }
    }

    [Fact]
    public async Task A_claim_takes_no_more_bytes_than_it_asks_for()
    {
        await SubmitAsync("large", count: 6);
        var request = new Engine.Tasks.ClaimRequest([new QueueTier("large", 0)], 6, "w", null) { MaxBytes = 400_000 };
        var claimer = _host.Services.GetRequiredService<Engine.Tasks.TaskClaimer>();
        (await claimer.ClaimAsync(request, TimeSpan.Zero, CancellationToken.None)).Count.ShouldBe(1);
    }

    [Fact]
    public async Task What_a_worker_does_not_read_is_little_and_is_given_back_soon()
    {
        await SubmitAsync("slow", count: 9);
        using var handler = new SocketsHttpHandler { InitialHttp2StreamWindowSize = 65_535 };
        using var channel = GrpcChannel.ForAddress(_host.Http.BaseAddress!, new GrpcChannelOptions { HttpHandler = handler });
        using var call = new Workers.WorkersClient(channel).Claim();
        await call.RequestStream.WriteAsync(new() { Queues = { "slow" }, Worker = "w", Credit = 9, LeaseSeconds = 3600 });
        await call.ResponseHeadersAsync;
        var running = (await _host.Http.ReadAsync("/tasks?status=running")).Json.GetProperty("count").GetInt32();

        running.ShouldBeInRange(1, 3);
        Budget.Claims.Used.ShouldBeGreaterThan(0);
        await Eventually.UntilAsync(() => Task.FromResult(Budget.Claims.Used == 0), TestHttp.Patience, "its memory is free");
        await Eventually.UntilAsync(
            async () => (await _host.Http.ReadAsync("/tasks?status=running")).Json.GetProperty("count").GetInt32() == 0,
            TestHttp.Patience, "its tasks wait again");
    }

    /// <summary>Tasks of 300 kB.</summary>
    private async Task SubmitAsync(string queue, int count)
    {
        var data = new string('x', 300_000);
        await _host.Http.SubmitManyAsync(Enumerable.Range(0, count).Select(_ => new { action = "a", queue, data }));
    }

    /// <summary>A clock on which the half minute for a message, and less than a second for its bytes, are over soon.</summary>
    private sealed class HastyTime : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            base.CreateTimer(callback, state, dueTime.TotalSeconds is > 30 and < 31 ? TimeSpan.FromSeconds(5) : dueTime, period);
    }
}
