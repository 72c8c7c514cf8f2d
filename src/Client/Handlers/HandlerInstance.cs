using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace TaskQueue.Client;

/// <summary>Makes the handlers and middleware of an attempt.</summary>
internal static partial class HandlerInstance
{
    /// <summary>
    /// Uses a registered service, which its scope disposes, or else an instance of its own with dependencies of the scope, which is
    /// disposed here.
    /// </summary>
    public static async Task<TaskOutcome> UseAsync<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] T>(
        IServiceProvider services, Func<T, Task<TaskOutcome>> use)
        where T : class
    {
        if (services.GetService<T>() is { } registered)
            return await use(registered);
        var created = ActivatorUtilities.CreateInstance<T>(services);
        try
        {
            return await use(created);
        }
        finally
        {
            await EndAsync(created, services);
        }
    }

    /// <summary>Disposes what an attempt has used. The work is done, or has failed: a fault here does not change its outcome.</summary>
    public static async Task EndAsync(object used, IServiceProvider services)
    {
        try
        {
            if (used is IAsyncDisposable disposable)
                await disposable.DisposeAsync();
            else
                (used as IDisposable)?.Dispose();
        }
#pragma warning disable CA1031 // whatever it throws
        catch (Exception fault)
#pragma warning restore CA1031
        {
            if (services.GetService<ILoggerFactory>()?.CreateLogger(typeof(HandlerInstance).FullName!) is { } logger)
                LogNotDisposed(logger, fault, used.GetType());
        }
    }

    [LoggerMessage(LogLevel.Warning, "{Type} threw when it was disposed after an attempt, whose outcome stays as it is")]
    private static partial void LogNotDisposed(ILogger logger, Exception fault, Type type);
}
