using Microsoft.EntityFrameworkCore;
using TaskQueue.Client;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;

namespace TaskQueue.Tests.Integration;

/// <summary>The database of an application that has an outbox.</summary>
internal sealed class ShopDb(DbContextOptions<ShopDb> options) : DbContext(options)
{
    public DbSet<Order> Orders => Set<Order>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Order>();
        modelBuilder.AddTaskQueueOutbox();
    }

    /// <summary>A fresh database with the tables of the application.</summary>
    public static async Task<TestDatabase> CreateAsync(DatabaseProvider provider)
    {
        var database = await TestDatabase.CreateAsync(provider, migrate: false);
        var options = new DbContextOptionsBuilder<ShopDb>();
        Configure(options, database);
        await using var db = new ShopDb(options.Options);
        await db.Database.EnsureCreatedAsync();
        return database;
    }

    public static void Configure(DbContextOptionsBuilder options, TestDatabase database)
    {
        if (database.Address.Provider == DatabaseProvider.Postgres)
            options.UseNpgsql(database.ConnectionString, o => o.ExecutionStrategy(d => new RetriesLost(d)));
        else
            options.UseSqlite(database.ConnectionString, o => o.ExecutionStrategy(d => new RetriesLost(d)));
    }
}

/// <summary>An entity of the application.</summary>
internal sealed class Order
{
    public Guid Id { get; set; } = Guid.NewGuid();

    public string Item { get; set; } = "";
}
