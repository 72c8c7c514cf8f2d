namespace Aspire.Hosting.ApplicationModel;

/// <summary>A TaskQueue server: the tool <c>taskqueue</c>, which must be installed. Its connection string is its address.</summary>
/// <param name="name">Name of the resource.</param>
/// <param name="workingDirectory">Where the tool is started.</param>
public sealed class TaskQueueResource(string name, string workingDirectory)
    : ExecutableResource(name, "taskqueue", workingDirectory), IResourceWithConnectionString
{
    internal const string EndpointName = "http";

    /// <summary>Where it listens.</summary>
    public EndpointReference Endpoint => field ??= new EndpointReference(this, EndpointName);

    /// <inheritdoc />
    public ReferenceExpression ConnectionStringExpression =>
        ReferenceExpression.Create($"{Endpoint.Property(EndpointProperty.Url)}");
}
