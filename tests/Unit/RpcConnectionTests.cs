using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using TaskQueue.Client;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>How calls of the gRPC client end.</summary>
public sealed class RpcConnectionTests
{
    private static readonly TaskQueueClientOptions Options = new() { BaseAddress = new Uri("http://queue.example") };
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static readonly Marshaller<string> Text = Marshallers.StringMarshaller;
    private static readonly Method<string, string> Method = new(MethodType.Unary, "s", "m", Text, Text);

    [Fact]
    public async Task A_refusal_is_told_although_the_caller_has_given_up_meanwhile()
    {
        using var connection = new RpcConnection(Options, null, TimeProvider.System);
        using var over = new CancellationTokenSource();
        var refused = new RpcException(new Status(StatusCode.PermissionDenied, "no"));

        var fault = await Should.ThrowAsync<TaskQueueException>(() => connection.CallAsync(_ =>
        {
            over.Cancel();
            return Call(Task.FromException<string>(refused));
        }, over.Token));

        fault.Status.ShouldBe(403);
    }

    [Fact]
    public async Task A_call_that_its_caller_ends_is_cancelled_whatever_the_channel_was_told()
    {
        using var connection = new RpcConnection(Options, Silent, TimeProvider.System);
        using var over = new CancellationTokenSource();
        var call = connection.CallAsync(o => connection.Invoker.AsyncUnaryCall(Method, null, o, "x"), over.Token);

        await over.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(() => call.WaitAsync(Patience));
    }

    [Fact]
    public async Task A_server_that_is_silent_is_told_from_one_that_cannot_be_reached()
    {
        var time = new FakeTimeProvider();
        using var connection = new RpcConnection(Options, Silent, time);
        var call = connection.CallAsync(o => connection.Invoker.AsyncUnaryCall(Method, null, o, "x"), CancellationToken.None);
        time.Advance(TimeSpan.FromSeconds(61));
        (await Should.ThrowAsync<TaskQueueException>(() => call.WaitAsync(Patience))).Message.ShouldContain("did not answer in time");

        var refused = new TaskCanceledException("no", new TimeoutException("no connection within 10 s"));
        var fault = await Should.ThrowAsync<TaskQueueException>(() => connection.CallAsync(
            _ => Call(Task.FromException<string>(refused)), CancellationToken.None));
        fault.Message.ShouldBe("http://queue.example/ cannot be reached: no connection within 10 s");
        fault.IsTransient.ShouldBeTrue();
    }

    [Theory]
    [InlineData(1, 60)]
    [InlineData(20, 60)]
    [InlineData(30, 65)]
    public void A_large_message_has_a_minute_to_arrive(double wait, double patience) =>
        GrpcTransport.PatienceOf(wait).ShouldBe(TimeSpan.FromSeconds(patience));

    private static void Silent(GrpcChannelOptions channel) =>
        (channel.HttpHandler, channel.ThrowOperationCanceledOnCancellation) = (new SilentHandler(), false);

    private static AsyncUnaryCall<string> Call(Task<string> answer) =>
        new(answer, Task.FromResult(new Metadata()), () => Status.DefaultSuccess, () => [], () => { });

    private sealed class SilentHandler : HttpMessageHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            await Task.Delay(Timeout.Infinite, cancellationToken);
            throw new InvalidOperationException("unreachable");
        }
    }
}
