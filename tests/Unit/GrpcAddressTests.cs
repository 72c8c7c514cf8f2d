using Microsoft.Extensions.Configuration;
using Shouldly;
using TaskQueue.Api.Hosting;
using TaskQueue.Engine;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>TaskQueue:Grpc:Urls.</summary>
public sealed class GrpcAddressTests
{
    [Theory]
    [InlineData("http://127.0.0.1:0", "must name a port")]
    [InlineData("http://127.0.0.1:8080", "serve gRPC too")]
    [InlineData("http://127.0.0.1:9090", "TaskQueue:Operations:Urls already")]
    [InlineData("http://0.0.0.0:8000", "is not a loopback address")]
    [InlineData("8000", "is not of the form")]
    public void Addresses_that_gRPC_cannot_have_stop_the_start(string url, string problem)
    {
        var configuration = new ConfigurationManager();
        configuration.AddInMemoryCollection(new Dictionary<string, string?>
            { ["TaskQueue:Grpc:Urls"] = url, ["TaskQueue:Operations:Urls"] = "http://127.0.0.1:9090" });

        var message = Should.Throw<StartupException>(() => ListenAddresses.Read(null, configuration)).Message;

        message.ShouldStartWith("TaskQueue:Grpc:Urls");
        message.ShouldContain(problem);
    }
}
