using Hangfire;
using Microsoft.Extensions.DependencyInjection;

namespace TaskQueue.Client;

/// <summary>Creates the object of a job in a scope of its own, as Hangfire does in ASP.NET Core.</summary>
internal sealed class ScopedJobActivator(IServiceScopeFactory scopes) : JobActivator
{
    /// <summary>The activator of a worker.</summary>
    public static JobActivator Choose(HangfireJobOptions options, IServiceProvider services) =>
        options.Activator ?? services.GetService<JobActivator>()
        ?? (Current.GetType() != typeof(JobActivator) ? Current
            : new ScopedJobActivator(services.GetRequiredService<IServiceScopeFactory>()));

    public override JobActivatorScope BeginScope(JobActivatorContext context) => new Scope(scopes.CreateScope());

    private sealed class Scope(IServiceScope scope) : JobActivatorScope
    {
        public override object Resolve(Type type) => ActivatorUtilities.GetServiceOrCreateInstance(scope.ServiceProvider, type);

        public override void DisposeScope()
        {
            if (scope is IAsyncDisposable async)
                async.DisposeAsync().AsTask().GetAwaiter().GetResult(); // on the thread of the job, which may wait
            else
                scope.Dispose();
        }
    }
}
