using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using TaskQueue.Client;
using TaskQueue.Contracts;

namespace TaskQueue.Tests.EndToEnd;

/// <content>docs/coming-from-masstransit.md.</content>
internal static partial class DocSnippets
{
    /// <summary>docs/coming-from-masstransit.md.</summary>
    internal static class OfMassTransit
    {
        internal static void Before(IServiceCollection services)
        {
            services.AddMassTransit(bus =>
            {
                bus.AddConsumer<ChargeConsumer>();
                bus.UsingRabbitMq((context, rabbit) => rabbit.ReceiveEndpoint("orders", endpoint =>
                {
                    endpoint.ConcurrentMessageLimit = 4;
                    endpoint.UseMessageRetry(retry => retry.Intervals(1000, 5000, 30_000));
                    endpoint.ConfigureConsumer<ChargeConsumer>(context);
                }));
            });
        }

        internal static void After(IServiceCollection services)
        {
            services.AddTaskQueueWorker(
                worker =>
                {
                    worker.Queues.Add("orders");
                    worker.Concurrency = 4;
                    worker.AddHandler<ChargeHandler>("charge").Retry = new RetryPolicy { Intervals = [1, 5, 30] };
                },
                client => client.BaseAddress = new Uri("http://localhost:8080"));
        }

        internal static async Task SendAsync(ISendEndpointProvider bus)
        {
            var orders = await bus.GetSendEndpoint(new Uri("queue:orders"));
            await orders.Send(new ChargeOrder(7));
        }

        internal static async Task EnqueueAsync(TaskQueueClient queue)
        {
            await queue.EnqueueAsync("orders", "charge", new ChargeOrder(7));
        }

        public sealed class ChargeConsumer(Bank bank) : IConsumer<ChargeOrder>
        {
            public Task Consume(ConsumeContext<ChargeOrder> context) =>
                bank.ChargeAsync(context.Message.Number, $"{context.MessageId}", context.CancellationToken);
        }

        public sealed class ChargeHandler(Bank bank) : ITaskHandler<ChargeOrder>
        {
            public Task ProcessAsync(ChargeOrder order, TaskContext task, CancellationToken cancellationToken) =>
                bank.ChargeAsync(order.Number, $"{task.Id}", cancellationToken);
        }

        public sealed record ChargeOrder(int Number);

        public sealed class Bank
        {
            private readonly HashSet<string> _charged = [];

            public Task<bool> ChargeAsync(int number, string idempotencyKey, CancellationToken cancellationToken) =>
                Task.FromResult(_charged.Add($"{number} {idempotencyKey}")).WaitAsync(cancellationToken);
        }
    }
}
