using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TaskQueue.Client.Kubernetes;

namespace TaskQueue.Client;

/// <summary>Tells Kubernetes how busy this process is.</summary>
public static class DeletionCostRegistration
{
    /// <summary>
    /// Publishes how busy this process is as the annotation <c>controller.kubernetes.io/pod-deletion-cost</c> of its own pod, so
    /// that a scale-down takes idle pods first. It needs the environment variables <c>POD_NAME</c> and <c>POD_NAMESPACE</c>
    /// (downward API) and a service account that may patch pods; outside Kubernetes it does nothing.
    /// </summary>
    /// <param name="services">The host's services.</param>
    /// <param name="running">How many tasks run in this process; null counts those of its workers (<see
    /// cref="WorkerRegistration.AddTaskQueueWorker"/>).</param>
    public static IServiceCollection AddTaskQueueDeletionCost(this IServiceCollection services, Func<IServiceProvider, int>? running = null)
    {
        services.AddLogging();
        services.TryAddSingleton(new OwnPod(Environment.GetEnvironmentVariable, OwnPod.MountedAccount));
        services.AddSingleton<IHostedService>(sp => new DeletionCostService(
            sp.GetRequiredService<OwnPod>(), () =>
                (running ?? RunningOfWorkers)(sp), sp.GetService<TimeProvider>()
                    ?? TimeProvider.System, sp.GetRequiredService<ILogger<DeletionCostService>>()));
        return services;
    }

    /// <summary>How many tasks the workers of a host run.</summary>
    internal static int RunningOfWorkers(IServiceProvider services) =>
        services.GetServices<IHostedService>().OfType<WorkerService>().Sum(w => w.Running);
}
