extern alias grpc;

using Grpc.Core;
using Shouldly;
using TaskQueue.Client;
using Xunit;
using Wire = grpc::TaskQueue.Rpc.V1;

namespace TaskQueue.Tests.Unit;

/// <summary>The credit that a worker gives over gRPC, step by step.</summary>
public sealed class CreditStreamTests
{
    [Fact]
    public void A_task_that_ends_before_it_counts_as_received_leaves_its_room_to_another()
    {
        var steps = new Steps();
        var before = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(steps);
        try
        {
            var requests = new Requests();
            var attempts = new InFlightAttempts(new WorkerRuntimeOptions(1, 0), returnsUnbegun: false);
            var call = new AsyncDuplexStreamingCall<Wire.ClaimRequest, Wire.ClaimAnswer>(
                requests, null!, Task.FromResult(new Metadata()), () => Status.DefaultSuccess, () => [], () => { });
            var stream = new CreditStream(call, attempts, CancellationToken.None);
            stream.BeginAsync(new Wire.ClaimRequest(), room: 1).IsCompletedSuccessfully.ShouldBeTrue();

            var attempt = attempts.Take(new WorkItem(Guid.NewGuid(), 1, "q", 0, "a", "{}", TimeSpan.FromSeconds(15)));
            attempts.Waiting.TryRead(out _).ShouldBeTrue();
            attempts.Settle(attempt, TaskOutcome.Completed()).ShouldBeTrue();
            attempts.Reported(attempt);
            steps.Run();
            requests.Credit.ShouldBe([1], "the room is promised to the task");
            stream.Received(1);
            steps.Run();

            requests.Credit.ShouldBe([1, 1]);
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }
    }

    private sealed class Requests : IClientStreamWriter<Wire.ClaimRequest>
    {
        public List<int> Credit { get; } = [];

        public WriteOptions? WriteOptions { get; set; }

        public Task CompleteAsync() => Task.CompletedTask;

        public Task WriteAsync(Wire.ClaimRequest message)
        {
            Credit.Add(message.Credit);
            return Task.CompletedTask;
        }
    }

    /// <summary>Runs what continues only when it is told to.</summary>
    private sealed class Steps : SynchronizationContext
    {
        private readonly Queue<(SendOrPostCallback Continue, object? State)> _ready = new();

        public override void Post(SendOrPostCallback d, object? state) => _ready.Enqueue((d, state));

        public void Run()
        {
            while (_ready.TryDequeue(out var next))
                next.Continue(next.State);
        }
    }
}
