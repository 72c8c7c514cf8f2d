extern alias api;

using api::TaskQueue.Rpc.V1;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using TaskQueue.Api.Workers;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>How long the server waits for a worker that does not read.</summary>
public sealed class ClaimAnswerTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task A_message_that_is_not_read_is_given_up_at_the_minimum_pace()
    {
        await using var services = Services(bytesPerSecond: 1000);
        var writing = Answers(services).WriteAsync(new ClaimAnswer(), size: 5000);

        _time.Advance(TimeSpan.FromSeconds(34.9));
        writing.IsCompleted.ShouldBeFalse();
        _time.Advance(TimeSpan.FromSeconds(0.2));

        (await Should.ThrowAsync<ApiException>(() => writing.WaitAsync(Patience))).Fault.Status.ShouldBe(408);
    }

    [Fact]
    public async Task Without_a_minimum_pace_it_is_not()
    {
        await using var services = Services(bytesPerSecond: 0);
        var writing = Answers(services).WriteAsync(new ClaimAnswer(), size: 5000);

        _time.Advance(TimeSpan.FromDays(1));

        writing.IsCompleted.ShouldBeFalse();
    }

    private static ServiceProvider Services(long bytesPerSecond) =>
        new ServiceCollection().Configure<LimitOptions>(o => o.MinResponseBytesPerSecond = bytesPerSecond).BuildServiceProvider();

    private ClaimAnswers Answers(IServiceProvider services) =>
        new(new DefaultHttpContext { RequestServices = services }, new Stuck(), _time);

    private sealed class Stuck : IServerStreamWriter<ClaimAnswer>
    {
        public WriteOptions? WriteOptions { get; set; }

        public Task WriteAsync(ClaimAnswer message) => throw new NotSupportedException();

        public Task WriteAsync(ClaimAnswer message, CancellationToken cancellationToken) =>
            Task.Delay(Timeout.Infinite, cancellationToken);
    }
}
