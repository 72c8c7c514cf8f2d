using MassTransit;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using TaskQueue.Bus;
using TaskQueue.Consumers.Actions;
using TaskQueue.Consumers.Agent;
using TaskQueue.Consumers.Tasks;
using TaskQueue.Consumers.Upstreams;
using TaskQueue.Consumers.Workers;
using TaskQueue.Contracts;
using TaskQueue.Engine.Health;

namespace TaskQueue.Consumers;

/// <summary>
/// The Consumers role: consumes submissions and reports from the bus, runs the built-in actions, and forwards tasks to upstreams.
/// </summary>
public static class ConsumersRole
{
    /// <summary>
    /// Receive endpoints of the role, except that of the built-in actions, which stops earlier; see <see cref="ActionTransport"/>.
    /// </summary>
    public static BusRole Bus { get; } = new(
        bus =>
        {
            bus.AddConsumer<SubmitConsumer>();
            bus.AddConsumer<ReportConsumer>();
        },
        (context, endpoints) =>
        {
            endpoints.Queue(Addresses.SubmitQueue, prefetch: 16, e =>
            {
                e.UseStorageRetry();
                e.ConfigureConsumer<SubmitConsumer>(context);
            });
            endpoints.Queue(Addresses.ReportQueue, prefetch: 16, e =>
            {
                e.UseStorageRetry();
                e.ConfigureConsumer<ReportConsumer>(context);
            });
        });

    /// <summary>Adds the services of the role. Call it after adding the bus, so that they stop before it.</summary>
    public static IServiceCollection AddTaskQueueConsumers(this IServiceCollection services)
    {
        services.AddOptions<ActionOptions>().BindConfiguration("TaskQueue:Actions").ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<ReportRules>().AddSingleton<ReportMembers>();
        services.AddHostedService<ActionRunner>().AddLoopHealth<ActionRunner>();
        services.AddOptions<UpstreamList>().Configure<IConfiguration>((list, configuration) => list.Read(configuration))
            .ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton<UpstreamQueues>().AddSingleton<UpstreamHttp>().AddSingleton<OwnerBudget>().AddSingleton<UpstreamCalls>();
        services.AddHostedService<UpstreamService>().AddLoopHealth<UpstreamService>();
        services.AddHostedService<AgentService>().AddLoopHealth<AgentService>();
        return services;
    }

    /// <summary>Number of tasks running in this process: built-in actions, upstream requests, agent API tasks.</summary>
    public static int RunningTasks(IServiceProvider services) =>
        services.GetServices<IHostedService>().OfType<EngineWorker>().Sum(w => w.Running);
}
