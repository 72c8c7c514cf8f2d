using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>A database of a provider with an engine on it, for the tests of one class.</summary>
public abstract class StoreFixture(DatabaseProvider provider, bool rowVersions = true) : IAsyncLifetime
{
    internal TestDatabase Database { get; private set; } = null!;

    internal TestEngine Engine { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        Database = await TestDatabase.CreateAsync(provider, rowVersions: rowVersions);
        Engine = new TestEngine(Database.Address);
    }

    public async Task DisposeAsync()
    {
        await Engine.DisposeAsync();
        await Database.DisposeAsync();
    }
}

/// <summary>PostgreSQL.</summary>
public sealed class PostgresStoreFixture() : StoreFixture(DatabaseProvider.Postgres);

/// <summary>SQLite.</summary>
public sealed class SqliteStoreFixture() : StoreFixture(DatabaseProvider.Sqlite);
