using TaskQueue.Bus;
using TaskQueue.Bus.Connection;
using TaskQueue.Engine.Hosting;
using TaskQueue.Storage;
using TaskQueue.Storage.Hosting;

namespace TaskQueue.Api.Hosting;

/// <summary>Puts the engine, its storage and its bus together.</summary>
internal static class TaskQueueRegistration
{
    /// <summary>Adds what every role needs.</summary>
    /// <param name="services">Where to.</param>
    /// <param name="database">The database.</param>
    /// <param name="bus">The bus.</param>
    /// <param name="roles">Receive endpoints of the roles of this process.</param>
    public static IServiceCollection AddTaskQueue(this IServiceCollection services, DatabaseAddress database, BusAddress bus,
        params IReadOnlyList<BusRole> roles) =>
        // Hosted services stop in reverse: the outbox dispatcher first, so that another process continues, then the bus, then the group
        // commit, which drains.
        services.AddTaskQueueEngine().AddTaskQueueStorage(database).AddTaskQueueBus(bus, roles);
}
