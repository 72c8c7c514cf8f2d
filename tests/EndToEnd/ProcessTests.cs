using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Tests that start processes with their own database and virtual host.</summary>
[Collection(ProcessesCollection.Name)]
public abstract class ProcessTests : IAsyncLifetime
{
    private protected TestDatabase Database { get; private set; } = null!;

    private protected string RabbitMq { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        Database = await TestDatabase.CreateAsync(DatabaseProvider.Postgres);
        RabbitMq = await TestServers.CreateVirtualHostAsync();
    }

    public async Task DisposeAsync()
    {
        await TestServers.DeleteVirtualHostAsync(RabbitMq);
        await Database.DisposeAsync();
    }
}
