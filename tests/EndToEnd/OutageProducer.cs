using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TaskQueue.Client;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>A program that keeps sending tasks over the bus, whatever happens to the broker.</summary>
internal sealed class OutageProducer : IAsyncDisposable
{
    private readonly IHost _host;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _sending;
    private readonly ConcurrentQueue<Guid> _confirmed = new();

    private OutageProducer(IHost host)
    {
        _host = host;
        _sending = Task.Run(SendAsync);
    }

    public static async Task<OutageProducer> StartAsync(Uri rabbitMq)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Logging.SetMinimumLevel(LogLevel.None);
        builder.Services.AddTaskQueueBusProducer(o => (o.ConnectionString, o.Timeout) = (rabbitMq, TimeSpan.FromSeconds(2)));
        var host = builder.Build();
        await host.StartAsync();
        return new OutageProducer(host);
    }

    /// <summary>Stops sending.</summary>
    /// <returns>The tasks that the broker has confirmed.</returns>
    public async Task<IReadOnlyCollection<Guid>> EndAsync()
    {
        await _stop.CancelAsync();
        await _sending;
        return _confirmed;
    }

    public async ValueTask DisposeAsync()
    {
        await EndAsync();
        await _host.StopAsync();
        _host.Dispose();
        _stop.Dispose();
    }

    private async Task SendAsync()
    {
        var producer = _host.Services.GetRequiredService<TaskQueueBusProducer>();
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                var task = new NewTask(OutageApi.Pulled, "x");
                await producer.EnqueueAsync(task);
                _confirmed.Enqueue(task.Id);
            }
            catch (TaskQueueException)
            {
                // Refused, or not confirmed: the next one is another task, and this one may still arrive.
            }

            await Task.Delay(TimeSpan.FromMilliseconds(100), _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
