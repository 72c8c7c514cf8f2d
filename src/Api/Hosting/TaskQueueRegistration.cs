using TaskQueue.Bus;
using TaskQueue.Bus.Connection;
using TaskQueue.Engine.Hosting;
using TaskQueue.Storage;
using TaskQueue.Storage.Hosting;
using TaskQueue.Storage.S3;

namespace TaskQueue.Api.Hosting;

/// <summary>Composes the engine, its storage and its bus.</summary>
internal static class TaskQueueRegistration
{
    /// <summary>Adds the services every role needs.</summary>
    /// <param name="services">The service collection.</param>
    /// <param name="database">The database.</param>
    /// <param name="bus">The bus.</param>
    /// <param name="roles">Receive endpoints of this process's roles.</param>
    public static IServiceCollection AddTaskQueue(this IServiceCollection services, DatabaseAddress database, BusAddress bus,
        params IReadOnlyList<BusRole> roles) =>
        // Hosted services stop in reverse: the outbox dispatcher first, so that another process continues, then the bus, then the group
        // commit, which drains.
        services.AddTaskQueueEngine().AddTaskQueueStorage(database).AddTaskQueueS3Files().AddTaskQueueBus(bus, roles);
}
