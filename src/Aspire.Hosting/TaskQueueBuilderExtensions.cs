using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting;

/// <summary>Adds TaskQueue to an Aspire application.</summary>
public static class TaskQueueBuilderExtensions
{
    /// <summary>
    /// Adds a TaskQueue server with all roles on a SQLite file. Resources that reference it get its address as connection string, and those
    /// that wait for it start when it is ready.
    /// </summary>
    /// <param name="builder">The application.</param>
    /// <param name="name">Name of the resource and of the connection string.</param>
    /// <param name="port">Port of the address; null: a free one.</param>
    public static IResourceBuilder<TaskQueueResource> AddTaskQueue(
        this IDistributedApplicationBuilder builder, [ResourceName] string name, int? port = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var server = new TaskQueueResource(name, builder.AppHostDirectory);
        return builder.AddResource(server)
            .WithHttpEndpoint(port: port, name: TaskQueueResource.EndpointName)
            .WithArgs(context =>
            {
                context.Args.Add("--urls");
                context.Args.Add(ReferenceExpression.Create($"http://127.0.0.1:{server.Endpoint.Property(EndpointProperty.TargetPort)}"));
            })
            .WithDataFolder(Path.Combine(builder.AppHostDirectory, "obj", "taskqueue", name))
            .WithHttpHealthCheck("/health/ready", endpointName: TaskQueueResource.EndpointName);
    }

    /// <summary>Chooses the folder of the SQLite file; by default it lies in the <c>obj</c> folder of the app host.</summary>
    /// <param name="builder">The server.</param>
    /// <param name="path">The folder; created if it is missing.</param>
    public static IResourceBuilder<TaskQueueResource> WithDataFolder(this IResourceBuilder<TaskQueueResource> builder, string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return builder.WithEnvironment("TaskQueue__DataFolder", path);
    }
}
