using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TaskQueue.Client.Kubernetes;

namespace TaskQueue.Client;

/// <summary>Registers the publishing of a pod's deletion cost.</summary>
public static class DeletionCostRegistration
{
    /// <summary>
    /// Publishes the load of this process as the annotation <c>controller.kubernetes.io/pod-deletion-cost</c> of its own pod, so
    /// that a scale-down removes idle pods first. Requires the environment variables <c>POD_NAME</c> and <c>POD_NAMESPACE</c>
    /// (downward API) and a service account that may patch pods. Outside Kubernetes it does nothing.
    /// </summary>
    /// <param name="services">The host's services.</param>
    /// <param name="running">
    /// Returns the number of running tasks; null counts those of the workers added by <see cref="WorkerRegistration.AddTaskQueueWorker"/>.
    /// </param>
    public static IServiceCollection AddTaskQueueDeletionCost(this IServiceCollection services, Func<IServiceProvider, int>? running = null)
    {
        services.AddLogging();
        services.TryAddSingleton(new OwnPod(Environment.GetEnvironmentVariable, OwnPod.MountedAccount));
        services.AddSingleton<IHostedService>(sp => new DeletionCostService(
            sp.GetRequiredService<OwnPod>(), () =>
                (running ?? RunningOfWorkers)(sp),
                sp.GetService<TimeProvider>() ?? TimeProvider.System, sp.GetRequiredService<ILogger<DeletionCostService>>()));
        return services;
    }

    /// <summary>Number of tasks running in the workers of a host.</summary>
    internal static int RunningOfWorkers(IServiceProvider services) =>
        services.GetServices<IHostedService>().OfType<WorkerService>().Sum(w => w.Running);
}
