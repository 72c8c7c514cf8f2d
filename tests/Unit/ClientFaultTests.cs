using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Client;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>Whatever prevents an answer is a fault of the connection to the client: workers and relays wait and try again.</summary>
public sealed class ClientFaultTests
{
    [Theory]
    [InlineData("handler")]
    [InlineData("body")]
    public async Task What_a_message_handler_throws_and_a_body_that_ends_early_are_faults_of_the_connection(string kind)
    {
        var services = new ServiceCollection();
        services.AddTaskQueueClient(o => o.BaseAddress = new Uri("http://localhost:1"));
        services.ConfigureTaskQueueHttpClient(http => http.ConfigurePrimaryHttpMessageHandler(() => new Faulty(kind)));
        await using var provider = services.BuildServiceProvider();
        var client = provider.GetRequiredService<TaskQueueClient>();

        foreach (var call in new Func<Task>[] { () => client.CancelAsync(Guid.NewGuid()), () => client.DeleteAsync(Guid.NewGuid()) })
        {
            var fault = await call.ShouldThrowAsync<TaskQueueException>();
            (fault.Status, fault.IsTransient).ShouldBe((0, true));
            fault.InnerException.ShouldNotBeNull();
        }
    }

    private sealed class Faulty(string kind) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            kind == "handler" ? throw new InvalidOperationException("the circuit is open")
                : Task.FromResult(new HttpResponseMessage(HttpStatusCode.OK) { Content = new StreamContent(new CutOff()) });
    }

    /// <summary>A body whose connection breaks after its first bytes.</summary>
    private sealed class CutOff() : MemoryStream("{\"id\":"u8.ToArray())
    {
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            await base.ReadAsync(buffer, cancellationToken) is > 0 and var read ? read
                : throw new HttpIOException(HttpRequestError.ResponseEnded);

        public override Task CopyToAsync(Stream destination, int bufferSize, CancellationToken cancellationToken) =>
            Task.FromException(new HttpIOException(HttpRequestError.ResponseEnded));
    }
}
