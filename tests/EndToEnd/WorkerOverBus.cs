using TaskQueue.Client;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Workers that consume push queues.</summary>
public sealed class WorkerOverBus(ServersStack stack) : WorkerConformance(stack), IClassFixture<ServersStack>
{
    protected override string Delivery => "push";

    /// <summary>Tasks that wait in the worker are not started.</summary>
    protected override int ExpectedOut => 2;

    protected override void Configure(TaskQueueWorkerOptions options) => options.UseRabbitMq(new Uri(Stack.RabbitMq!));
}
